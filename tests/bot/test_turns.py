from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue

import pytest
from sqlalchemy.exc import IntegrityError

from chatbot.bot.diary import Diary
from chatbot.bot.turns import NO_LIMIT, Turn, Turns
from tests.databases import only_sqlite, url_in

ALICE, BOB = "a" * 32, "b" * 32


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_in(tmp_path)


@pytest.fixture
def turns(url: str) -> Iterator[Turns]:
    with closing(Diary(url)) as diary:
        yield diary.turns


def turn(number: int, visitor: str = ALICE, message_id: str | None = None) -> Turn:
    return Turn(visitor, number, message_id, f"prompt {number}", f"reply {number}", 0.5, "why\nso", 1.5 + number)


def add(turns: Turns, *added: Turn) -> list[Exception | None]:
    """What each was told."""
    told: SimpleQueue[Exception | None] = SimpleQueue()
    for one in added:
        turns.add(one, told.put)
    return [told.get(timeout=30) for _ in added]


def test_a_turn_is_kept_with_all_that_belongs_to_it(url: str) -> None:
    said = Turn(ALICE, 1, "id 1", "Was heißt 😀?\n\x01", "“Grinning”", 0.25, "matched: …", 1764000000.125, "unknown")
    with closing(Diary(url)) as diary:
        assert add(diary.turns, said) == [None]
    with closing(Diary(url)) as diary:
        assert diary.turns.before(ALICE, NO_LIMIT, 10) == diary.turns.after(ALICE, 0, 10) == [said]
        assert diary.turns.find(ALICE, "id 1") == said


@only_sqlite  # on PostgreSQL there was none
def test_turns_of_an_earlier_version_are_of_no_kind(url: str) -> None:
    with closing(Diary(url)) as diary:
        add(diary.turns, turn(1)._replace(kind="known"))
        with diary._engine.begin() as connection:  # noqa: SLF001
            connection.exec_driver_sql("DROP TABLE visitors_schema")
            connection.exec_driver_sql("DROP INDEX turn_newest_unsure")
            connection.exec_driver_sql("ALTER TABLE turn DROP COLUMN kind")
    with closing(Diary(url)) as diary:
        with diary._engine.connect() as connection:  # noqa: SLF001
            connection.exec_driver_sql("SELECT rowid FROM turn INDEXED BY turn_newest_unsure WHERE confidence < 1")
        assert add(diary.turns, turn(2)._replace(kind="known")) == [None]
        assert diary.turns.after(ALICE, 0, 10) == [turn(1), turn(2)._replace(kind="known")]


def test_what_waits_when_it_is_closed_is_kept(url: str) -> None:
    told: list[Exception | None] = []
    with closing(Diary(url)) as diary:
        for number in range(1, 501):
            diary.turns.add(turn(number), told.append)
    assert told == [None] * 500
    with closing(Diary(url)) as diary:
        assert diary.turns.last_number(ALICE) == 500


def test_nothing_is_known_of_who_never_said_anything(turns: Turns) -> None:
    add(turns, turn(1, BOB, "id"))
    assert turns.last_number(ALICE) == 0
    assert turns.find(ALICE, "id") is None
    assert turns.last_replies(ALICE, 12) == []
    assert turns.before(ALICE, NO_LIMIT, 10) == turns.after(ALICE, 0, 10) == []


def test_each_visitor_has_a_conversation_of_their_own(turns: Turns) -> None:
    assert add(turns, turn(1), turn(2), turn(1, BOB)) == [None] * 3
    assert (turns.last_number(ALICE), turns.last_number(BOB)) == (2, 1)
    assert turns.after(BOB, 0, 10) == [turn(1, BOB)]
    assert turns.before(ALICE, NO_LIMIT, 10) == [turn(1), turn(2)]


def test_a_visitors_turns_are_read_in_order_and_in_pages(turns: Turns) -> None:
    add(turns, *(turn(number, visitor) for number in range(1, 7) for visitor in (BOB, ALICE)))
    assert [said.number for said in turns.before(ALICE, NO_LIMIT, 3)] == [4, 5, 6]
    assert [said.number for said in turns.before(ALICE, 4, 2)] == [2, 3]
    assert [said.number for said in turns.before(ALICE, 1, 2)] == []
    assert [said.number for said in turns.after(ALICE, 0, 3)] == [1, 2, 3]
    assert [said.number for said in turns.after(ALICE, 3, 100)] == [4, 5, 6]
    assert turns.after(ALICE, 6, 100) == []


@pytest.mark.parametrize("number", [1, 2, 4, 9])
def test_no_turn_is_kept_that_does_not_follow_the_one_before(turns: Turns, number: int) -> None:
    add(turns, turn(1), turn(2), turn(1, BOB))
    (error,) = add(turns, turn(number))
    assert isinstance(error, IntegrityError)
    assert add(turns, turn(3)) == [None]
    assert [said.number for said in turns.after(ALICE, 0, 100)] == [1, 2, 3]


def test_the_last_replies_are_told_in_order(turns: Turns) -> None:
    add(turns, *(turn(number) for number in range(1, 21)))
    assert turns.last_replies(ALICE, 3) == ["reply 18", "reply 19", "reply 20"]


def test_a_message_of_the_same_id_is_kept_once_for_each_visitor(turns: Turns) -> None:
    first, again, of_another = add(turns, turn(1, ALICE, "id"), turn(2, ALICE, "id"), turn(1, BOB, "id"))
    assert (first, of_another) == (None, None)
    assert isinstance(again, IntegrityError)
    assert turns.find(ALICE, "id") == turn(1, ALICE, "id")
    assert turns.last_number(ALICE) == 1


def test_messages_without_an_id_may_be_many(turns: Turns) -> None:
    assert add(turns, turn(1), turn(2), turn(3)) == [None] * 3
    assert turns.find(ALICE, "") is None


def test_no_turn_takes_the_place_of_another(turns: Turns) -> None:
    add(turns, turn(1))
    (error,) = add(turns, turn(1)._replace(reply="another"))
    assert isinstance(error, IntegrityError)
    assert turns.last_replies(ALICE, 12) == ["reply 1"]


def test_others_are_told_of_a_reply_once_its_turn_is_kept_and_only_then(turns: Turns) -> None:
    kept: list[tuple[str, list[str]]] = []
    turns.on_keep.append(lambda visitor, reply: kept.append((reply, turns.last_replies(visitor, 12))))
    add(turns, turn(1, ALICE, "id"), turn(1, BOB))
    add(turns, turn(2, ALICE, "id"))
    assert kept == [("reply 1", ["reply 1"]), ("reply 1", ["reply 1"])]


def test_threads_may_read_while_others_write(turns: Turns) -> None:
    def talk(visitor: str) -> None:
        for number in range(1, 51):
            assert add(turns, turn(number, visitor)) == [None]
            assert turns.last_number(visitor) == number
            assert turns.last_replies(visitor, 1) == [f"reply {number}"]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(talk, (str(visitor) for visitor in range(8))))


@only_sqlite
def test_the_latest_page_of_a_long_conversation_is_found_by_the_index(url: str) -> None:
    """However long it is, no more is read than what is asked for, and nothing is sorted."""
    with closing(Diary(url)) as diary:
        engine = diary._engine  # noqa: SLF001
        queries = (
            "SELECT * FROM turn WHERE visitor = 'a' AND number < 9 ORDER BY number DESC LIMIT 9",
            "SELECT * FROM turn WHERE visitor = 'a' AND number > 9 ORDER BY number LIMIT 9",
            "SELECT max(number) FROM turn WHERE visitor = 'a'",
            "SELECT * FROM turn WHERE visitor = 'a' AND message_id = 'b'",
        )
        for query in queries:
            with engine.connect() as connection:
                plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all())
            assert "SEARCH" in plan
            assert "INDEX" in plan
            assert "TEMP B-TREE" not in plan
