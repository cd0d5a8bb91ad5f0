import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatbot.bot.sqlite import is_damaged, is_unavailable, sentence, size


def raised(path: Path, statement: str) -> sqlite3.Error:
    """The error of a statement, with SQLite's code in it."""
    with (
        closing(sqlite3.connect(path, timeout=0)) as database,
        pytest.raises(sqlite3.Error) as caught,
    ):
        database.execute(statement)
    return caught.value


def test_a_lock_is_no_fault_of_what_was_asked_and_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "diego.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        error = raised(path, "CREATE TABLE a (b)")
    assert is_unavailable(error)
    assert not is_damaged(error)
    assert sentence("a.db", error).startswith("The database a.db is locked by another program.")


def test_what_is_no_database_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "diego.db"
    path.write_bytes(b"no database" * 1000)
    error = raised(path, "SELECT * FROM a")
    assert is_unavailable(error)
    assert is_damaged(error)
    assert "python -m chatbot restore FILE" in sentence("a.db", error)


def test_a_mistake_is_the_fault_of_what_was_asked(tmp_path: Path) -> None:
    error = raised(tmp_path / "diego.db", "SELECT * FROM nowhere")
    assert not is_unavailable(error)
    assert not is_damaged(error)


def test_its_size_is_that_of_the_file_and_of_its_log(tmp_path: Path) -> None:
    path = tmp_path / "diego.db"
    assert size(f"sqlite:///{path}") == 0
    path.write_bytes(bytes(1000))
    path.with_name("diego.db-wal").write_bytes(bytes(10))
    assert size(f"sqlite:///{path}") == 1010
