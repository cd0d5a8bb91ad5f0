"""The database file: how it is opened, and what is said when it cannot be used."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from chatbot import SetupError

LOCK_SECONDS = 5.0


class StorageError(SetupError):
    """The database cannot be used; the message names its file and the way out."""


def open_database(url: str) -> Engine:
    """An engine for a SQLite file, which is made if it is not there. Raises StorageError."""
    path = database_path(url)
    _check(path)
    # Errors go to the log, and what visitors say is not to stay there when they are forgotten.
    engine = create_engine(url, connect_args={"timeout": LOCK_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _set_pragmas)
    return engine


def database_path(url: str) -> Path:
    """The file of a database."""
    return Path(make_url(url).database or "")


@contextmanager
def errors_as_sentences(path: Path) -> Iterator[None]:
    """Raise StorageError for what SQLAlchemy and SQLite raise."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _sentence(path, getattr(error, "orig", None) or error) from error


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    # What was acknowledged is on the disk: not even a power cut takes it back.
    connection.execute("PRAGMA synchronous=FULL")
    # What is forgotten is overwritten.
    connection.execute("PRAGMA secure_delete=ON")


def _check(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_SECONDS)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise _sentence(path, error) from None
    if verdict != "ok":
        raise _sentence(path, sqlite3.DatabaseError(verdict))


def _sentence(path: Path, error: BaseException) -> StorageError:
    if "locked" in str(error):
        return StorageError(f"The database {path} is locked by another program. Stop that program, then start again.")
    if "no such column" in str(error) or "has no column" in str(error):
        return StorageError(
            f"The database {path} has tables of another program or version: {error}. Name another file with "
            "DIEGO_DATABASE_URL."
        )
    if isinstance(error, sqlite3.OperationalError):
        return StorageError(
            f"The database {path} cannot be used: {error}. See that its folder exists and that it may be written, "
            "or name another file with DIEGO_DATABASE_URL."
        )
    return StorageError(
        f"The database {path} is damaged or is no SQLite database: {error}. Move it away and start again, Diego then "
        "makes a new one; or name another file with DIEGO_DATABASE_URL."
    )
