import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import ResourceClosedError

from chatbot.bot.diary import Diary
from chatbot.bot.diego import Diego
from chatbot.bot.room import MOST_KEPT, ROOM, Said
from chatbot.settings import Settings
from tests.databases import execute, only_sqlite, url_in
from tests.diaries import ANN, BOB, diary_in, said

CORPUS = "text,reply\nping,I do not know that game.\nHello,Hello to you.\n"


@pytest.fixture
def diary(tmp_path: Path) -> Iterator[Diary]:
    with closing(diary_in(tmp_path)) as diary:
        yield diary


def keep(diary: Diary, *messages: Said) -> list[int | None]:
    """The numbers that messages get, None for those that are not kept."""
    return [kept and kept.number for kept in diary.room.keep(messages)]


def texts(diary: Diary) -> list[str]:
    return [message.text for message in diary.room.last()]


def test_what_is_said_is_kept_in_order_with_a_number(diary: Diary, tmp_path: Path) -> None:
    one, other = Said(0, ANN, "Ann", "a1", "Hi", 1.5), Said(0, BOB, "Diego", None, "Hello!", 2.5, 1)
    assert diary.room.keep([one, other]) == [one._replace(number=1), other._replace(number=2)]
    with closing(diary_in(tmp_path)) as again:
        assert again.room.last() == [one._replace(number=1), other._replace(number=2)]


def test_the_last_messages_are_kept(diary: Diary, tmp_path: Path) -> None:
    for start in range(0, MOST_KEPT + 60, 30):
        diary.room.keep([said(str(number)) for number in range(start, start + 30)])
    assert texts(diary) == [str(number) for number in range(MOST_KEPT + 70)][-MOST_KEPT:]
    assert execute(url_in(tmp_path), "SELECT count(*) FROM room") == [(MOST_KEPT,)]


def test_a_number_is_never_given_twice(diary: Diary, tmp_path: Path) -> None:
    assert keep(diary, said("Hi"), said("Bye", BOB)) == [1, 2]
    diary.forget(BOB)
    diary.forget(ANN)
    with closing(diary_in(tmp_path)) as again:
        assert keep(again, said("Hello", "c" * 32)) == [3]


def test_who_is_forgotten_takes_along_what_was_said_and_says_nothing_more(diary: Diary, tmp_path: Path) -> None:
    keep(diary, said("Hi", ANN), said("Me too", BOB), said("Hello, Ann", ANN))
    with closing(diary_in(tmp_path)) as elsewhere:
        elsewhere.forget(ANN)
    assert keep(diary, said("Still me", ANN), said("Still me", BOB)) == [None, 4]
    assert texts(diary) == ["Me too", "Still me"]
    assert diary.room.of(ANN) == []
    assert [message.text for message in diary.room.of(BOB)] == ["Me too", "Still me"]


@only_sqlite
def test_all_is_kept_or_nothing(diary: Diary, tmp_path: Path) -> None:
    keep(diary, said("Hi"))
    with closing(sqlite3.connect(tmp_path / "diego.db")) as other, other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON room WHEN new.text = 'no' BEGIN SELECT RAISE(ABORT, ''); END"
        )
    with pytest.raises(Exception, match="constraint failed|IntegrityError"):
        keep(diary, said("yes"), said("no"))
    assert texts(diary) == ["Hi"]


def test_a_closed_diary_keeps_nothing(diary: Diary) -> None:
    diary.close()
    with pytest.raises(ResourceClosedError):
        keep(diary, said("Hi"))


@pytest.fixture
def diego(diary: Diary, tmp_path: Path) -> Iterator[Diego]:
    (tmp_path / "small.csv").write_text(CORPUS)
    settings = Settings(
        database_url=url_in(tmp_path, "knowledge.db"),
        corpora=(str(tmp_path / "small.csv"),),
        default_responses=("I do not know.",),
    )
    with closing(Diego(settings, diary=diary)) as diego:
        yield diego


@pytest.mark.parametrize(
    "message",
    [
        "My name is Zabaione",
        "What's my name?",
        "Forget my name",
        "What did I just say?",
        "What did you just say?",
        "When I say ping, answer pong",
        'No, the right answer is "pong"',
    ],
)
def test_in_the_room_nobody_is_named_and_nothing_is_taught(diego: Diego, diary: Diary, message: str) -> None:
    personal = diego.get_response(message, conversation=ANN)
    assert personal.text != "I do not know." or message.startswith("No,")
    diego.get_response("ping", conversation=ROOM)
    assert diego.get_response(message, conversation=ROOM).text == "I do not know."
    assert (diary.name(ROOM), diary.lessons.of(ROOM), diary.turns.last_number(ROOM)) == (None, [], 0)


def test_what_a_visitor_taught_is_not_answered_in_the_room(diego: Diego, diary: Diary) -> None:
    for visitor in (ANN, ROOM):
        diary.lessons.teach(visitor, "ping", "pong")
    assert diego.get_response("ping", conversation=ANN).text == "pong"
    assert diego.get_response("ping", conversation=ROOM).text == "I do not know that game."


def test_in_the_room_he_knows_what_he_said_last(diego: Diego) -> None:
    diego.get_response("ping", conversation=ROOM)
    diego.get_response("Hello", conversation=ROOM)
    assert diego.memory.last_replies(ROOM) == ["I do not know that game.", "Hello to you."]
