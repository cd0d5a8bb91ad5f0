"""SQLite: how its file is opened, who may write to it, and what is said when it cannot be used."""

import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import sqlite as dialect
from sqlalchemy.engine import make_url

LOCK_SECONDS = 5.0
"""How long to wait for others who write."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNAVAILABLE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    *_DAMAGED,
)


def make_engine(url: str) -> Engine:
    """An engine for a file, which is made if it is not there."""
    # Errors go to the log, and what visitors say is not to stay there when they are forgotten.
    engine = create_engine(url, connect_args={"timeout": LOCK_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _set_pragmas)
    return engine


def problem(url: str) -> str | None:
    """A sentence that says why a file cannot be used, None if it can."""
    path = Path(make_url(url).database or "")
    log = Path(f"{path}-wal")
    with suppress(OSError), log.open("rb") as file:
        if not _is_log(file.read(_LOG_HEADER.size)):
            return (
                f"{log} is damaged, so what was last written to the database {path} is lost. If there is a backup, "
                f"take it back with python -m chatbot restore FILE. Otherwise move {log} away and start again."
            )
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_SECONDS)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return sentence(str(path), error)
    return None if verdict == "ok" else sentence(str(path), sqlite3.DatabaseError(verdict))


def is_unavailable(error: BaseException) -> bool:
    """Whether an error says that the file is locked, full, damaged or out of reach."""
    return _code(error) in _UNAVAILABLE


def is_damaged(error: BaseException) -> bool:
    """Whether an error says that a file is damaged or no database."""
    return _code(error) in _DAMAGED


def sentence(name: str, error: BaseException) -> str:
    """What is wrong, and what to do."""
    if "locked" in str(error):
        return f"The database {name} is locked by another program. Stop that program, then start again."
    if "no such column" in str(error) or "has no column" in str(error):
        return (
            f"The database {name} has tables of another program or version: {error}. Name another file with "
            "DIEGO_DATABASE_URL."
        )
    if isinstance(error, sqlite3.OperationalError):
        return (
            f"The database {name} cannot be used: {error}. See that its folder exists and that it may be written, "
            "or name another file with DIEGO_DATABASE_URL."
        )
    return (
        f"The database {name} is damaged or is no SQLite database: {error}. If there is a backup, take it back with "
        "python -m chatbot restore FILE. Otherwise move the file away and start again, Diego then makes a new one; or "
        "name another file with DIEGO_DATABASE_URL."
    )


def insert(table: Table) -> dialect.Insert:
    """An INSERT that may say what to do `on_conflict_…`."""
    return dialect.insert(table)


def insert_many(connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows: in the driver's own words, which takes half as long as in SQLAlchemy's."""
    names, values = ", ".join(column.name for column in columns), ", ".join("?" * len(columns))
    statement = f"INSERT INTO {columns[0].table.name} ({names}) VALUES ({values})"  # noqa: S608 - no text of others
    connection.exec_driver_sql(statement, [*map(tuple, rows)])


def alone(connection: Connection, *_tables: Table) -> None:
    """Let nobody else write to the file until the transaction ends."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def size(url: str) -> int:
    """How large the file is, with its write-ahead log, in bytes."""
    path = make_url(url).database or ""
    files = (Path(path), Path(f"{path}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _code(error: BaseException) -> int:
    """SQLite's primary result code, -1 if there is none."""
    code = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    # What was acknowledged is on the disk: not even a power cut takes it back.
    connection.execute("PRAGMA synchronous=FULL")
    # What is forgotten is overwritten.
    connection.execute("PRAGMA secure_delete=ON")


_LOG_HEADER = struct.Struct(">8I")
_LOG_MAGIC = 0x377F0682


def _is_log(header: bytes) -> bool:
    """Whether a write-ahead log begins like this. SQLite takes one that does not for empty, and says nothing."""
    if len(header) < _LOG_HEADER.size or not any(header):
        return True  # none was begun
    magic, *_, first, second = _LOG_HEADER.unpack(header)
    words = struct.unpack(">6I" if magic & 1 else "<6I", header[:24])
    one = two = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return magic & ~1 == _LOG_MAGIC and (one, two) == (first, second)
