import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, event, select
from sqlalchemy.exc import OperationalError, ResourceClosedError

from chatbot.bot.database import DatabaseUnavailable, open_database
from chatbot.bot.writer import MOST_ROWS, MOST_THREADS, MOST_WAITING, Writer

metadata = MetaData()
LINE = Table("line", metadata, Column("number", Integer, primary_key=True), Column("text", String, unique=True))
INSERT = LINE.insert()
SECONDS = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lines.db"


@pytest.fixture
def engine(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr("chatbot.bot.sqlite.LOCK_SECONDS", 0.2)
    engine = open_database(f"sqlite:///{path}")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def soon() -> list[Callable[[], None]]:
    """What is to be called soon."""
    return []


@pytest.fixture
def writer(engine: Engine, soon: list[Callable[[], None]]) -> Iterator[Writer]:
    """One that commits when the test lets it."""
    writer = Writer(engine, LINE, soon.append)
    yield writer
    writer.close()


def lines(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [str(text) for text in connection.scalars(select(LINE.c.text).order_by(LINE.c.number))]


def insert(engine: Engine, text: str) -> None:
    with engine.begin() as connection:
        connection.execute(INSERT, {"text": text})


def count_transactions(engine: Engine) -> list[object]:
    begun: list[object] = []
    event.listen(engine, "begin", begun.append)
    return begun


def test_whoever_writes_is_told_when_it_is_committed(path: Path, engine: Engine) -> None:
    seen = []

    def look(_error: Exception | None) -> None:
        with closing(connect(path)) as database:
            seen.extend(database.execute("SELECT text FROM line").fetchall())

    with closing(Writer(engine, LINE)) as writer:
        writer.write((None, "one"), look)
    assert seen == [("one",)]


def test_all_that_waits_is_one_transaction_in_the_order_in_which_it_came(
    engine: Engine, writer: Writer, soon: list[Callable[[], None]]
) -> None:
    told: list[Exception | None] = []
    begun = count_transactions(engine)
    for number in range(MOST_WAITING - 1):
        writer.write((None, str(number)), told.append)
    assert (told, lines(engine), len(soon)) == ([], [], 1)
    begun.clear()
    soon.pop()()
    assert told == [None] * (MOST_WAITING - 1)
    assert len(begun) == 1
    assert lines(engine) == [*map(str, range(MOST_WAITING - 1))]
    writer.write((None, "one more"), told.append)
    assert len(soon) == 1


def test_what_waits_is_bounded(engine: Engine, writer: Writer, soon: list[Callable[[], None]]) -> None:
    told: list[Exception | None] = []
    for number in range(MOST_WAITING):
        writer.write((None, str(number)), told.append)
    assert told == [None] * MOST_WAITING
    soon.pop()()
    assert len(lines(engine)) == len(told) == MOST_WAITING


@pytest.mark.parametrize("bad", ["0", object(), "\ud83d", 1 << 64])
def test_a_bad_row_is_told_and_does_not_harm_the_others(
    engine: Engine, writer: Writer, soon: list[Callable[[], None]], bad: object
) -> None:
    good: list[Exception | None] = []
    harmed: list[Exception | None] = []
    for number in range(9):
        writer.write((None, str(number)), good.append)
        if number in (0, 5):
            writer.write((None, bad), harmed.append)
    soon.pop()()
    assert good == [None] * 9
    assert all(isinstance(error, Exception) for error in harmed)
    assert len(harmed) == 2
    assert lines(engine) == [*map(str, range(9))]


def test_who_cannot_be_told_harms_nobody(
    engine: Engine, writer: Writer, soon: list[Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_error: Exception | None) -> None:
        raise RuntimeError("as asked for")

    told: list[Exception | None] = []
    writer.write((None, "one"), broken)
    writer.write((None, "two"), told.append)
    soon.pop()()
    assert told == [None]
    assert lines(engine) == ["one", "two"]
    assert "as asked for" in caplog.text


def test_a_locked_database_is_an_error_for_all_who_wait_and_then_writing_goes_on(
    engine: Engine, writer: Writer, soon: list[Callable[[], None]], path: Path
) -> None:
    told: list[Exception | None] = []
    meanwhile: list[Exception | None] = []
    begun = count_transactions(engine)

    @event.listens_for(engine, "begin")
    def come_meanwhile(_connection: object) -> None:
        if len(begun) == 1:
            writer.write((None, "meanwhile"), meanwhile.append)

    with closing(connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer.write((None, "one"), told.append)
        soon.pop(0)()
        assert isinstance(told[0], OperationalError)
        assert isinstance(meanwhile[0], OperationalError)
        assert len(begun) == 1
        other.execute("ROLLBACK")
    writer.write((None, "two"), told.append)
    writer.flush()
    assert lines(engine) == ["two"]


def test_once_somebody_has_waited_in_vain_nobody_waits_until_the_lock_is_gone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_database(f"sqlite:///{path}")  # which waits for seconds
    metadata.create_all(engine)
    told: list[Exception | None] = []
    begun = count_transactions(engine)
    with closing(Writer(engine, LINE)) as writer, closing(connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer.write((None, "one"), told.append)
        for _ in range(100):
            writer.write((None, "two"), told.append)
            with pytest.raises(DatabaseUnavailable, match="locked"):
                writer.run(lambda: insert(engine, "three"))
        assert len(told) == 101
        assert all(isinstance(error, DatabaseUnavailable) for error in told)
        assert len(begun) == 1
        other.execute("ROLLBACK")
        writer.run(lambda: insert(engine, "four"))
    assert lines(engine) == ["four"]
    assert caplog.messages == [
        f"Nothing can be written to {path}: database is locked. Visitors are told so.",
        f"The database {path} can be written again.",
    ]
    engine.dispose()


def test_who_writes_while_somebody_else_does_keeps_no_thread_and_too_many_are_refused(
    engine: Engine, writer: Writer, soon: list[Callable[[], None]]
) -> None:
    told: list[Exception | None] = []

    def run() -> None:
        for number in range(MOST_ROWS + 1):
            writer.write((None, str(number)), told.append)
        assert [type(error) for error in told] == [DatabaseUnavailable]

    writer.run(run)
    soon.pop()()
    assert told[1:] == [None] * MOST_ROWS
    assert len(lines(engine)) == MOST_ROWS


def test_few_stand_in_line_and_the_others_are_refused(engine: Engine, writer: Writer) -> None:
    runs, go = threading.Event(), threading.Event()

    def run() -> None:
        runs.set()
        assert go.wait(SECONDS)

    with ThreadPoolExecutor(MOST_THREADS) as pool:
        line = [pool.submit(writer.run, run) for _ in range(MOST_THREADS)]
        try:
            assert runs.wait(SECONDS)
            while writer._line._value:  # noqa: SLF001
                threading.Event().wait(0.01)
            with pytest.raises(DatabaseUnavailable, match="too many"):
                writer.run(lambda: insert(engine, "refused"))
        finally:
            go.set()
        for one in line:
            one.result(SECONDS)
    writer.run(lambda: insert(engine, "one"))
    assert lines(engine) == ["one"]


def test_a_lock_that_ends_in_time_is_waited_for(path: Path) -> None:
    engine = open_database(f"sqlite:///{path}")
    metadata.create_all(engine)
    told: list[Exception | None] = []
    begun = threading.Event()
    event.listen(engine, "begin", lambda _connection: begun.set())
    with (
        closing(Writer(engine, LINE)) as writer,
        closing(connect(path, isolation_level=None)) as other,
        ThreadPoolExecutor() as pool,
    ):
        other.execute("BEGIN IMMEDIATE")
        writing = pool.submit(writer.write, (None, "one"), told.append)
        assert begun.wait(SECONDS)
        other.execute("ROLLBACK")
        writing.result(SECONDS)
    assert told == [None]
    engine.dispose()


def test_running_commits_what_waits_first_and_lets_nobody_write_meanwhile(
    engine: Engine, writer: Writer, soon: list[Callable[[], None]]
) -> None:
    told: list[Exception | None] = []

    def run() -> None:
        assert lines(engine) == ["one"]
        writer.write((None, "two"), told.append)
        flushing.append(pool.submit(soon.pop()))
        with pytest.raises(TimeoutError):
            flushing[0].result(0.1)
        assert lines(engine) == ["one"]

    flushing: list[Future[None]] = []
    writer.write((None, "one"), told.append)
    soon.clear()
    with ThreadPoolExecutor() as pool:
        writer.run(run)
        flushing[0].result(SECONDS)
    assert lines(engine) == ["one", "two"]


def test_closing_commits_what_waits(engine: Engine) -> None:
    writer = Writer(engine, LINE, lambda _: None)
    told: list[Exception | None] = []
    for number in range(10):
        writer.write((None, str(number)), told.append)
    writer.close()
    assert told == [None] * 10
    assert len(lines(engine)) == 10


def test_after_closing_writes_are_told_that_it_is_closed(engine: Engine) -> None:
    writer = Writer(engine, LINE)
    writer.close()
    writer.close()
    told: list[Exception | None] = []
    writer.write((None, "one"), told.append)
    assert isinstance(told[0], ResourceClosedError)
    with pytest.raises(ResourceClosedError):
        writer.run(lambda: insert(engine, "three"))
    assert lines(engine) == []


def test_closing_waits_for_what_runs(engine: Engine) -> None:
    writer = Writer(engine, LINE)
    runs, go = threading.Event(), threading.Event()

    def run() -> None:
        runs.set()
        assert go.wait(SECONDS)
        insert(engine, "one")

    with ThreadPoolExecutor() as pool:
        running = pool.submit(writer.run, run)
        assert runs.wait(SECONDS)
        closing = pool.submit(writer.close)
        with pytest.raises(TimeoutError):
            closing.result(0.1)
        go.set()
        closing.result(SECONDS)
        assert lines(engine) == ["one"]
        running.result(SECONDS)


def test_while_it_is_closed_every_write_is_told_once_and_truly(engine: Engine) -> None:
    writer = Writer(engine, LINE)
    under_way = threading.Barrier(5)
    told: dict[str, list[Exception | None]] = {f"{thread} {number}": [] for thread in range(4) for number in range(500)}

    def write(thread: int) -> None:
        under_way.wait(SECONDS)
        for number in range(500):
            text = f"{thread} {number}"
            writer.write((None, text), told[text].append)

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, thread) for thread in range(4)]
        under_way.wait(SECONDS)
        writer.close()
        for one in writing:
            one.result(SECONDS)
    assert {len(errors) for errors in told.values()} == {1}
    assert {*lines(engine)} == {text for text, errors in told.items() if errors == [None]}


def test_threads_may_share_it(engine: Engine) -> None:
    told: list[Exception | None] = []
    shared = Writer(engine, LINE)

    def write(thread: int) -> None:
        for number in range(50):
            shared.write((None, f"{thread} {number}"), told.append)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    shared.close()
    written = lines(engine)
    assert told == [None] * 400
    for thread in range(8):
        assert [line for line in written if line.startswith(f"{thread} ")] == [f"{thread} {n}" for n in range(50)]
