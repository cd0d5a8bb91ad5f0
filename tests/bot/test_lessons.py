import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from chatbot.bot import lessons as module
from chatbot.bot.database import open_database
from chatbot.bot.diary import Diary
from chatbot.bot.forgotten import Forgotten
from chatbot.bot.lessons import (
    APPROVED,
    MOST_LESSONS,
    OWN,
    REJECTED,
    Lesson,
    Lessons,
    TooManyLessons,
    Undone,
    UnknownLessonError,
    UnreadableLesson,
)
from chatbot.bot.schema import bring_up_to_date
from chatbot.bot.turns import turn_table
from chatbot.bot.words import key
from chatbot.bot.writer import Writer
from chatbot.messages import MAX_CHARACTERS
from tests.databases import execute, only_sqlite, url_in
from tests.diaries import ANN, BOB, diary_in


@pytest.fixture
def diary(tmp_path: Path) -> Iterator[Diary]:
    with closing(diary_in(tmp_path)) as diary:
        yield diary


@pytest.fixture
def lessons(diary: Diary) -> Lessons:
    return diary.lessons


def answer(lessons: Lessons, text: str, visitor: str = ANN, known: str = "") -> str | None:
    lesson = lessons.find(visitor, key(text), known.split().__contains__)
    return lesson.reply if lesson else None


def taught(lessons: Lessons, visitor: str = ANN) -> list[tuple[str, str]]:
    return [(lesson.prompt, lesson.reply) for lesson in lessons.of(visitor)]


def test_what_was_taught_is_found_by_that_visitor_and_no_other(lessons: Lessons) -> None:
    lessons.of(BOB)
    lessons.teach(ANN, "What's up?", "The sky.")
    assert answer(lessons, "whats UP") == "The sky."
    assert answer(lessons, "What's up?", BOB) is None


def test_it_is_found_after_a_restart(lessons: Lessons, tmp_path: Path) -> None:
    lesson = lessons.teach(ANN, "ping", "pong")
    with closing(diary_in(tmp_path)) as again:
        assert again.lessons.of(ANN) == [lesson]
        assert lesson == Lesson(lesson.id, ANN, "ping", "pong", OWN, lesson.taught_at)


@pytest.mark.parametrize(
    "text", ["where is my hamstr", "Where is my hamster now?", "whree is my hamster", "where is a my hamster"]
)
def test_a_typo_is_one_mistake_in_one_word(lessons: Lessons, text: str) -> None:
    lessons.teach(ANN, "Where is my hamster?", "Under the bed.")
    expected = None if "now" in text or " a " in text else "Under the bed."
    assert answer(lessons, text) == expected


@pytest.mark.parametrize(
    ("prompt", "other"),
    [
        ("what is 2+2", "what is 2+3"),
        ("who won in 2023", "who won in 2024"),
        ("is he in", "is he on"),
        ("feed my cat", "feed my car"),
        ("how is the weather", "how is the leather"),
        ("你喜欢猫吗", "你喜欢狗吗"),
        ("ping", "pong pang"),
        ("a" * 31 + "bc", "a" * 31 + "bd"),  # no word is that long
    ],
)
def test_what_means_something_else_is_no_typo(lessons: Lessons, prompt: str, other: str) -> None:
    lessons.teach(ANN, prompt, "yes")
    assert answer(lessons, other, known="car leather") is None
    assert answer(lessons, prompt) == "yes"


def test_the_very_prompt_comes_before_one_with_a_typo(lessons: Lessons) -> None:
    lessons.teach(ANN, "where is Lisa", "Out.")
    lessons.teach(ANN, "where is Liza", "In.")
    assert (answer(lessons, "where is Lisa"), answer(lessons, "where is Liza")) == ("Out.", "In.")


def test_a_second_lesson_on_a_prompt_takes_the_place_of_the_first_with_a_number_of_its_own(lessons: Lessons) -> None:
    first = lessons.teach(ANN, "ping", "pong")
    second = lessons.teach(ANN, "PING!", "bing")
    assert taught(lessons) == [("PING!", "bing")]
    assert second.id != first.id  # an operator who has read the first cannot approve the second


def test_a_lesson_is_taken_back_by_its_place(lessons: Lessons) -> None:
    for prompt in ("one", "two", "three"):
        lessons.teach(ANN, prompt, "yes")
    removed = lessons.unteach(ANN, 2)
    assert removed is not None
    assert removed.prompt == "two"
    assert [prompt for prompt, _ in taught(lessons)] == ["one", "three"]
    assert [lessons.unteach(ANN, number) for number in (0, -1, 3)] == [None] * 3
    assert lessons.unteach(BOB, 1) is None


def test_two_hundred_lessons_and_no_more_but_each_can_be_taught_anew(lessons: Lessons) -> None:
    for number in range(MOST_LESSONS):
        lessons.teach(ANN, f"prompt {number}", "yes")
    with pytest.raises(TooManyLessons, match="200 things"):
        lessons.teach(ANN, "one more", "no")
    lessons.teach(ANN, "prompt 7", "seven")
    assert len(lessons.of(ANN)) == MOST_LESSONS
    assert answer(lessons, "prompt 7") == "seven"
    lessons.teach(BOB, "one more", "yes")


def test_two_at_a_time_teach_no_more_either(lessons: Lessons) -> None:
    def teach(number: int) -> bool:
        try:
            lessons.teach(ANN, f"prompt {number}", "yes")
        except TooManyLessons:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(teach, range(MOST_LESSONS + 20))) == MOST_LESSONS
    assert len(lessons.of(ANN)) == MOST_LESSONS


@pytest.mark.parametrize(
    ("prompt", "reply"),
    [("", "x"), ("x", " \n"), ("x", "\u200b"), ("x" * (MAX_CHARACTERS + 1), "x"), ("x", "x" * (MAX_CHARACTERS + 1))],
)
def test_each_half_is_a_message(lessons: Lessons, prompt: str, reply: str) -> None:
    with pytest.raises(UnreadableLesson, match="1 to 1,000 characters"):
        lessons.teach(ANN, prompt, reply)
    assert lessons.of(ANN) == []


def test_a_half_may_be_as_long_as_a_message_and_loses_what_one_loses(lessons: Lessons) -> None:
    lessons.teach(ANN, " x\x00\ud800", "y" * MAX_CHARACTERS)
    assert taught(lessons) == [("x", "y" * MAX_CHARACTERS)]


def test_what_is_read_while_a_lesson_is_taught_does_not_stay_in_memory(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = module._read  # noqa: SLF001
    has_read, go_on = threading.Event(), threading.Event()

    def slow(*args: object) -> object:
        rows = read(*args)  # type: ignore[arg-type]
        has_read.set()
        assert go_on.wait(30)
        return rows

    monkeypatch.setattr(module, "_read", slow)
    with ThreadPoolExecutor(2) as pool:
        old = pool.submit(lessons.of, ANN)
        assert has_read.wait(30)
        monkeypatch.setattr(module, "_read", read)
        teaching = pool.submit(lessons.teach, ANN, "ping", "pong")
        go_on.set()
        old.result()
        teaching.result()
    assert answer(lessons, "ping") == "pong"


def test_memory_holds_so_many_lessons_and_the_rest_are_read_anew(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_HELD", 10)
    for number in range(20):
        for prompt in ("ping", "pang"):
            lessons.teach(f"{number:032}", prompt, str(number))
        assert len(lessons.of(f"{number:032}")) == 2
    assert len(lessons._known) == 3  # noqa: SLF001
    assert answer(lessons, "ping", f"{0:032}") == "0"


CLEO = "c" * 32


class Store(Lessons):
    """Lessons in a database, with what an operator does in a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = url_in(path.parent, path.name)
        self.engine = open_database(self.url)
        bring_up_to_date(self.engine, "visitors")
        self.writer = Writer(self.engine, turn_table)
        super().__init__(self.engine, self.writer, Forgotten(self.engine, self.writer))

    def decided(self, number: int, state: str) -> str:
        with self.engine.begin() as connection:
            return self.decide(connection, number, state).prompt

    def undone(self, *, visitor: str | None = None, since: float = 0.0) -> Undone:
        with self.engine.begin() as connection:
            return self.undo(connection, visitor=visitor, since=since)

    def listed(self) -> list[tuple[int, str, str, int]]:
        return [(lesson.number, lesson.prompt, lesson.reply, lesson.visitors) for lesson in self.undecided()]

    def close(self) -> None:
        self.writer.close()
        self.engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "diego.db")) as store:
        yield store


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time that it is when something is taught."""
    now = [1000.0]
    monkeypatch.setattr("chatbot.bot.lessons.time.time", lambda: now[0])
    return iter([now])


class TestOperator:
    def test_what_several_taught_is_one_lesson(self, store: Store) -> None:
        store.teach(ANN, "Hi", "Hello")
        store.teach(BOB, "Sun", "Moon")
        store.teach(BOB, "hi!", "Hello")
        store.teach(CLEO, "Hi", "Hey")
        assert store.listed() == [(1, "Hi", "Hello", 2), (2, "Sun", "Moon", 1), (4, "Hi", "Hey", 1)]
        assert store.undecided()[0].taught_at == store.of(ANN)[0].taught_at

    @pytest.mark.parametrize("state", [APPROVED, REJECTED])
    def test_what_is_decided_is_listed_no_more_whoever_teaches_it(self, store: Store, state: str) -> None:
        store.teach(ANN, "Hi", "Hello")
        store.teach(BOB, "hi", "Hello")
        store.teach(ANN, "Sun", "Moon")
        assert store.decided(1, state) == "Hi"
        store.teach(CLEO, "HI", "Hello")
        assert store.listed() == [(3, "Sun", "Moon", 1)]
        states = execute(store.url, "SELECT state FROM lesson ORDER BY id")
        assert states == [(state,), (state,), (OWN,), (OWN,)]

    @pytest.mark.parametrize("number", [0, 1, 3, 4])
    def test_what_is_unknown_or_decided_cannot_be_decided(self, store: Store, number: int) -> None:
        store.teach(ANN, "Hi", "Hello")
        store.teach(ANN, "Sun", "Moon")
        store.teach(BOB, "Sun", "Moon")
        store.decided(1, REJECTED)
        with pytest.raises(UnknownLessonError, match=f"There is no lesson {number} to decide on: it is unknown or"):
            store.decided(number, APPROVED)
        assert store.listed() == [(2, "Sun", "Moon", 2)]

    def test_undoing_a_visitor_takes_away_what_no_other_taught(self, store: Store) -> None:
        store.teach(ANN, "Hi", "Hello")
        store.teach(BOB, "Hi", "Hello")
        store.teach(ANN, "Sun", "Moon")
        store.teach(ANN, "Rain", "Snow")
        for number in (1, 3):
            store.decided(number, APPROVED)
        assert store.undone(visitor=ANN) == Undone(3, [3])
        assert store.of(BOB)[0].state == APPROVED
        assert store.undone(visitor=BOB) == Undone(1, [1])
        assert store.undone(visitor=BOB) == Undone(0, [])

    def test_what_was_taught_since_a_time_is_undone(self, store: Store, clock: Iterator[list[float]]) -> None:
        now = next(clock)
        store.teach(ANN, "Hi", "Hello")
        now[0] = 2000.0
        store.teach(BOB, "Hi", "Hello")
        store.teach(ANN, "Sun", "Moon")
        for number in (1, 3):
            store.decided(number, APPROVED)
        assert store.undone(since=2000.5) == Undone(0, [])
        assert store.undone(since=2000.0) == Undone(2, [3])
        assert store.undone(since=1000.0) == Undone(1, [1])

    def test_what_was_rejected_was_no_knowledge(self, store: Store) -> None:
        store.teach(ANN, "Hi", "Hello")
        store.decided(1, REJECTED)
        assert store.undone(visitor=ANN) == Undone(1, [])

    def test_what_was_taken_back_can_be_undone(self, store: Store) -> None:
        store.teach(ANN, "Hi", "Hello")
        store.decided(1, APPROVED)
        store.unteach(ANN, 1)
        assert ANN not in "".join(map(str, self.rows(store.url)))
        assert store.undone(visitor=ANN) == Undone(0, [1])

    def test_what_another_process_changes_is_noticed(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chatbot.bot.lessons.REFRESH_SECONDS", 0)
        store.teach(ANN, "Hi", "Hello")
        store.teach(BOB, "Sun", "Moon")
        with closing(Store(store.path)) as other:
            assert [lesson.state for lesson in store.of(ANN)] == [OWN]
            other.decided(1, APPROVED)
            assert [lesson.state for lesson in store.of(ANN)] == [APPROVED]
            assert store.of(BOB)
            other.undone(visitor=BOB)
            assert store.of(BOB) == []
            other.teach(BOB, "Rain", "Snow")
            assert [lesson.prompt for lesson in store.of(BOB)] == ["Rain"]

    def test_the_database_is_not_asked_for_every_message(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        store.teach(ANN, "Hi", "Hello")
        monkeypatch.setattr("chatbot.bot.lessons.REFRESH_SECONDS", 3600)
        known = store.of(ANN)
        monkeypatch.setattr(store, "_engine", None)
        assert store.of(ANN) == known

    @only_sqlite
    def test_a_server_starts_while_another_program_writes(self, store: Store) -> None:
        with closing(sqlite3.connect(store.path)) as database:
            database.execute("BEGIN IMMEDIATE")
            with closing(Store(store.path)) as other:
                assert other.undecided() == []

    def rows(self, url: str) -> list[tuple[object, ...]]:
        return [*execute(url, "SELECT * FROM lesson"), *execute(url, "SELECT * FROM lesson_origin")]
