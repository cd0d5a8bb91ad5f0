import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, select
from sqlalchemy.exc import DBAPIError

from chatbot.bot.database import DatabaseUnavailable, StorageError, database_path, errors_as_sentences, open_database
from chatbot.bot.diary import Diary


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "diego.db"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def refusal(path: Path) -> str:
    """Why a database cannot be opened."""
    with pytest.raises(StorageError) as refused:
        open_database(url(path))
    return str(refused.value)


@pytest.mark.parametrize("name", ["diego.db", "folder/diego.db", "/elsewhere/my diego.sqlite3"])
def test_the_file_of_a_database_is_known(name: str) -> None:
    assert database_path(f"sqlite:///{name}") == Path(name)


def test_a_file_that_is_not_there_is_made(path: Path) -> None:
    open_database(url(path)).dispose()
    assert path.exists()


def test_on_every_connection_what_is_committed_is_on_the_disk_and_what_is_deleted_overwritten(path: Path) -> None:
    engine = open_database(url(path))
    with engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            pragmas = ("journal_mode", "synchronous", "secure_delete")
            set_to = [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in pragmas]
            assert set_to == ["wal", 2, 1]
    engine.dispose()


def test_readers_do_not_wait_for_who_writes(path: Path) -> None:
    with closing(Diary(url(path))) as diary, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert diary.name("a") is None
        assert diary.turns.last_number("a") == 0


def test_errors_do_not_tell_what_was_to_be_written(path: Path) -> None:
    engine = open_database(url(path))
    with engine.connect() as connection, pytest.raises(DBAPIError, match="no such table") as failed:
        connection.exec_driver_sql("INSERT INTO turn VALUES (?)", ("what was said",))
    assert "what was said" not in str(failed.value)
    engine.dispose()


def test_no_other_engine_gets_the_pragmas(path: Path, tmp_path: Path) -> None:
    open_database(url(path)).dispose()
    other = create_engine(url(tmp_path / "other.db"))
    with other.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
    other.dispose()


@pytest.mark.parametrize("content", [b"no database at all " * 1000, b"SQLite format 3\0" + b"\xff" * 9000])
def test_what_is_no_database_is_refused_with_the_way_out_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert refusal(path).startswith(f"The database {path} is damaged or is no SQLite database: ")
    assert path.read_bytes() == content


def test_a_database_with_a_damaged_page_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE line (text)")
        database.executemany("INSERT INTO line VALUES (?)", [("x" * 100,)] * 1000)
        database.commit()
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 4 * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    assert " is damaged or is no SQLite database: " in refusal(path)


def _pages(path: Path) -> list[int]:
    """The numbers of the pages of the table and of its index."""
    with closing(sqlite3.connect(path)) as database:
        (table,) = database.execute("SELECT rootpage FROM sqlite_master WHERE type = 'table'").fetchone()
        (index,) = database.execute("SELECT rootpage FROM sqlite_master WHERE type = 'index'").fetchone()
        return [table, index, *range(max(table, index) + 1, path.stat().st_size // 4096 + 1)]


@pytest.mark.parametrize("damage", [bytes(4096), b"\xff" * 4096])
def test_every_page_of_tables_and_indexes_is_looked_at(path: Path, damage: bytes) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE line (text PRIMARY KEY)")
        database.executemany("INSERT INTO line VALUES (?)", [(f"{number} {'x' * 100}",) for number in range(300)])
        database.commit()
    whole = path.read_bytes()
    assert len(_pages(path)) > 20
    for page in _pages(path):
        path.write_bytes(whole[: 4096 * (page - 1)] + damage + whole[4096 * page :])
        assert "python -m chatbot restore FILE" in refusal(path)
    path.write_bytes(whole)
    open_database(url(path)).dispose()


def test_a_truncated_database_is_refused(path: Path) -> None:
    Diary(url(path)).close()
    path.write_bytes(path.read_bytes()[:20_000])
    assert refusal(path).startswith(f"The database {path} is damaged or is no SQLite database: ")


def test_a_damaged_log_is_refused_and_a_whole_one_is_not(path: Path) -> None:
    with closing(Diary(url(path))) as diary:
        diary.call("a", "Ann")
        contents = path.read_bytes()
        log = Path(f"{path}-wal").read_bytes()
    path.write_bytes(contents)  # as if the process had been killed
    for damage in (b"\xff" * len(log), log[:9] + b"\xff" + log[10:]):
        Path(f"{path}-wal").write_bytes(damage)
        assert refusal(path).startswith(
            f"{path}-wal is damaged, so what was last written to the database {path} is lost."
        )
        assert Path(f"{path}-wal").read_bytes() == damage
    Path(f"{path}-wal").write_bytes(log)
    with closing(Diary(url(path))) as diary:
        assert diary.name("a") == "Ann"


def test_damage_that_appears_while_it_is_used_is_logged_once_with_its_file(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Diary(url(path))) as diary:
        for number in range(50):
            diary.call(f"{number}", "Ann" * 100)
    engine = open_database(url(path))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    for _ in range(3):
        with engine.connect() as connection, pytest.raises(DatabaseUnavailable):
            connection.exec_driver_sql("SELECT * FROM visitor").all()
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"The database {path} is damaged or is no SQLite database: ")
    engine.dispose()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "diego.db"
    assert refusal(path) == (
        f"The database {path} cannot be used: unable to open database file. See that its folder exists and that it may "
        "be written, or name another file with DIEGO_DATABASE_URL."
    )


def test_a_lock_is_told_when_it_lasts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.sqlite.LOCK_SECONDS", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert refusal(path) == (
            f"The database {path} is locked by another program. Stop that program, then start again."
        )


def test_tables_of_another_program_are_told(path: Path) -> None:
    engine = open_database(url(path))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE visitor (number INTEGER)")
    table = Table("visitor", MetaData(), Column("id", Integer))
    with (
        pytest.raises(StorageError, match="has tables of another program or version: no such column"),
        errors_as_sentences(url(path)),
        engine.connect() as connection,
    ):
        connection.execute(select(table.c.id))
    engine.dispose()


def test_other_errors_are_raised_as_they_are(path: Path) -> None:
    with pytest.raises(KeyError), errors_as_sentences(url(path)):
        raise KeyError
