"""The database, a SQLite file or one of PostgreSQL's: how it is opened, and what is said when it cannot be used."""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from sqlalchemy import Column, Connection, Engine, Table, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from chatbot import SetupError

logger = logging.getLogger(__name__)


class StorageError(SetupError):
    """The database cannot be used; the message names it and the way out."""


class DatabaseUnavailable(OperationalError):
    """The database is locked, full, damaged or out of reach, which is the fault of nothing that was asked of it.

    That is in the log, once and not for everybody who comes meanwhile.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(None, None, error)


Rows = Sequence[Sequence[Any]]
"""Values for columns, row by row."""


class _Kind(Protocol):
    """What differs between `chatbot.bot.sqlite` and `chatbot.bot.postgresql`, and is documented there."""

    def make_engine(self, url: str) -> Engine: ...
    def problem(self, url: str) -> str | None: ...
    def size(self, url: str) -> int: ...
    def is_unavailable(self, error: BaseException) -> bool: ...
    def is_damaged(self, error: BaseException) -> bool: ...
    def sentence(self, name: str, error: BaseException) -> str: ...
    def alone(self, connection: Connection, *tables: Table) -> None: ...
    def insert(self, table: Table) -> Any: ...
    def insert_many(self, connection: Connection, columns: Sequence[Column[Any]], rows: Rows) -> None: ...


def open_database(url: str) -> Engine:
    """An engine for a database; SQLite's file is made if it is not there. Raises StorageError.

    What is done with it raises DatabaseUnavailable.
    """
    if problem := problem_of(url):
        raise StorageError(problem)
    kind = _kind_of(url)
    engine = kind.make_engine(url)
    event.listen(engine, "handle_error", _TellsWhatIsWrong(database_name(url), kind))
    return engine


def problem_of(url: str) -> str | None:
    """A sentence that says why a database cannot be used, None if it can. A file is read as a whole for that."""
    return _kind_of(url).problem(url)


def size_of(url: str) -> int:
    """How large a database is, in bytes; 0 if it is out of reach."""
    return _kind_of(url).size(url)


def is_file(url: str) -> bool:
    """Whether a database is a file of SQLite's."""
    return make_url(url).get_backend_name() == "sqlite"


def database_path(url: str) -> Path:
    """The file of a database of SQLite's."""
    return Path(make_url(url).database or "")


def file_url(path: Path) -> str:
    """The database in a file of SQLite's."""
    return f"sqlite:///{path}"


def database_name(url: str) -> str:
    """What a database is called in sentences: its file, or its address without the password."""
    return str(database_path(url)) if is_file(url) else make_url(url).render_as_string()


def alone(connection: Connection, *tables: Table) -> None:
    """Let nobody else write to these tables, or to all of SQLite's file, until the transaction ends."""
    _kind(connection.dialect.name).alone(connection, *tables)


def insert(connection: Connection, table: Table) -> Any:
    """An INSERT that may say what to do `on_conflict_…`, which SQLAlchemy has for each dialect apart."""
    return _kind(connection.dialect.name).insert(table)


def insert_many(connection: Connection, columns: Sequence[Column[Any]], rows: Rows) -> None:
    """Add rows to a table, with values for these columns of it; quickly, as there may be millions."""
    if rows:
        _kind(connection.dialect.name).insert_many(connection, columns, rows)


def is_damaged(error: BaseException) -> bool:
    """Whether an error says that a file is damaged or no database."""
    return _kind("sqlite").is_damaged(error)


def log_failure(to: logging.Logger, text: str, error: Exception) -> None:
    """Log an error with its traceback, unless it is DatabaseUnavailable, which is in the log.

    That something was changed by somebody else meanwhile, as by a restore, is a sentence.
    """
    if isinstance(error, IntegrityError):
        to.warning("%s %s", text, first_line(error.orig))
    elif not isinstance(error, DatabaseUnavailable):
        to.error(text, exc_info=error)


def first_line(error: BaseException | None) -> str:
    """What an error says in short: PostgreSQL's goes on with the values of the row."""
    return str(error).strip().partition("\n")[0]


@contextmanager
def errors_as_sentences(url: str) -> Iterator[None]:
    """Raise StorageError for what SQLAlchemy and the database raise."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        kind = _kind_of(url)
        raise StorageError(kind.sentence(database_name(url), getattr(error, "orig", None) or error)) from error


class _TellsWhatIsWrong:
    """Raises DatabaseUnavailable where it is at fault, and logs that a file is damaged; but not for every message."""

    def __init__(self, name: str, kind: _Kind) -> None:
        self._name = name
        self._kind = kind
        self._told = False

    def __call__(self, context: ExceptionContext) -> None:
        error = context.original_exception
        if not self._kind.is_unavailable(error):
            return
        if self._kind.is_damaged(error) and not self._told:
            self._told = True
            logger.error("%s", self._kind.sentence(self._name, error))
        raise DatabaseUnavailable(error) from error


def _kind_of(url: str) -> _Kind:
    return _kind(make_url(url).get_backend_name())


def _kind(name: str) -> _Kind:
    # Only the one that is used: PostgreSQL's driver takes a tenth of a second to import.
    return cast("_Kind", import_module(f"chatbot.bot.{name}"))
