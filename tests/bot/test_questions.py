import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from chatbot.bot import questions
from chatbot.bot.diary import Diary
from chatbot.bot.questions import DAYS, MOST_GROUPS, MOST_OF_ONE
from tests.databases import only_sqlite
from tests.diaries import ANN, BOB, DAY, ask, diary_in


@pytest.fixture
def diary(tmp_path: Path) -> Iterator[Diary]:
    with closing(diary_in(tmp_path)) as diary:
        yield diary


def asked(diary: Diary, *answered: str) -> list[tuple[str, int, int]]:
    return [(one.turn.prompt, one.visitors, one.times) for one in diary.questions.unanswered(answered)]


def doubted(diary: Diary, *answered: str) -> list[tuple[str, float]]:
    return [(one.turn.prompt, one.turn.confidence) for one in diary.questions.doubtful(answered)]


def visitor(number: int) -> str:
    return f"{number:032x}"


def test_questions_of_the_same_words_are_one_and_the_newest_stands_for_them(diary: Diary) -> None:
    ask(diary, ANN, "Whats a bitcoin", "What's a BITCOIN?!", "what’s a bitcoin", days_ago=2)
    ask(diary, BOB, "A bitcoins, what's?", days_ago=1)
    ask(diary, BOB, "What's a walrus?", days_ago=3)
    assert asked(diary) == [("A bitcoins, what's?", 2, 4), ("What's a walrus?", 1, 1)]
    (question, _) = diary.questions.unanswered()
    assert time.time() - question.asked_at == pytest.approx(DAY, abs=60)


def test_what_many_visitors_ask_comes_before_what_one_asks_often(diary: Diary) -> None:
    ask(diary, ANN, *["What is a flood?"] * 10, "What is a dam?")
    ask(diary, BOB, "What is a dam?", days_ago=1)
    assert asked(diary) == [("What is a dam?", 2, 2), ("What is a flood?", 1, 10)]


def test_who_asks_a_lot_pushes_nothing_out(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "MOST_TURNS", MOST_OF_ONE + 1)
    ask(diary, BOB, "What is a dam?", days_ago=1)
    ask(diary, ANN, *[f"What is number {number}?" for number in range(MOST_OF_ONE + 5)])
    found = asked(diary)
    assert len(found) == MOST_OF_ONE + 1
    assert ("What is a dam?", 1, 1) in found
    assert ("What is number 4?", 1, 1) not in found
    assert ("What is number 5?", 1, 1) in found


def test_no_more_than_the_newest_are_looked_at(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "MOST_LOOKED_AT", 2)
    ask(diary, ANN, "Is it the first?", days_ago=3)
    ask(diary, ANN, "Sure", kind="known", confidence=0.6)  # is not counted with them
    ask(diary, BOB, "Is it the second?", days_ago=2)
    ask(diary, ANN, "Is it the third?", days_ago=1)
    assert sorted(asked(diary)) == [("Is it the second?", 1, 1), ("Is it the third?", 1, 1)]


def test_what_is_long_ago_or_was_answered_is_no_question(diary: Diary) -> None:
    ask(diary, ANN, "Who was here?", days_ago=DAYS + 1)
    ask(diary, ANN, "Hello", kind="known", confidence=1.0)
    ask(diary, ANN, "1 + 1", kind="skill", confidence=1.0)
    ask(diary, ANN, "Nearly", kind="known", confidence=0.6)
    ask(diary, ANN, "Of an earlier version", kind="")
    assert asked(diary) == []
    assert doubted(diary) == [("Nearly", 0.6)]


def test_the_least_sure_replies_come_first_and_the_least_sure_stands_for_its_words(diary: Diary) -> None:
    for prompt, confidence in (("Sun", 0.7), ("Moon", 0.5), ("moons!", 0.4), ("Star", 0.45)):
        ask(diary, ANN, prompt, kind="known", confidence=confidence, reply=f"About {prompt}", why="near")
    assert doubted(diary) == [("moons!", 0.4), ("Star", 0.45), ("Sun", 0.7)]
    assert (diary.questions.doubtful()[0].turn.reply, diary.questions.doubtful()[0].turn.why) == (
        "About moons!",
        "near",
    )


def test_what_is_answered_by_now_is_left_out_in_all_wordings(diary: Diary) -> None:
    ask(diary, ANN, "What's a walrus?", "Where is it?")
    ask(diary, ANN, "Nearly", kind="known", confidence=0.6)
    assert asked(diary, "whats a WALRUS", "nearly!") == [("Where is it?", 1, 1)]
    assert doubted(diary, "whats a WALRUS", "nearly!") == []


def test_what_is_dismissed_stays_away_also_when_it_is_asked_again(diary: Diary, tmp_path: Path) -> None:
    ask(diary, ANN, "asdf jkl", "What's a walrus?")
    diary.questions.dismiss("ASDF, JKL!")
    diary.questions.dismiss("asdf jkl")
    ask(diary, BOB, "jkl asdf")
    assert asked(diary) == [("What's a walrus?", 1, 1)]
    with closing(diary_in(tmp_path)) as later:
        assert asked(later) == [("What's a walrus?", 1, 1)]


def test_of_a_visitor_who_is_forgotten_nothing_is_left(diary: Diary, tmp_path: Path) -> None:
    ask(diary, ANN, "Where is Xanadu?")
    ask(diary, ANN, "Perhaps Xanadu", kind="known", confidence=0.6)
    diary.questions.dismiss("Where is Xanadu?")
    diary.forget(ANN)
    assert (asked(diary), doubted(diary)) == ([], [])
    assert [file for file in tmp_path.iterdir() if b"xanadu" in file.read_bytes().lower()] == []


def test_no_more_are_given_than_somebody_reads(diary: Diary) -> None:
    for number in range(MOST_GROUPS + 1):
        ask(diary, visitor(number), f"What is number {number}?")
    assert len(asked(diary)) == MOST_GROUPS


@only_sqlite
def test_the_index_is_used(diary: Diary) -> None:
    with diary._engine.connect() as connection:  # noqa: SLF001
        for order in (questions._NEWEST, questions._LEAST_SURE):  # noqa: SLF001
            query = questions._TURNS.format(place="rowid", order=order)  # noqa: SLF001
            values = dict.fromkeys(("kind", "since", "most_looked_at", "most_of_one", "most_turns"), 1)
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {query}"), values).all()
            search = "SEARCH turn USING COVERING INDEX turn_newest_unsure (kind=? AND said_at>?)"
            assert search in [row[3] for row in plan]
