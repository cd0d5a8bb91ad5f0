"""The database file: how it is opened, and what is said when it cannot be used."""

import logging
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from chatbot import SetupError

logger = logging.getLogger(__name__)

LOCK_SECONDS = 5.0

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


class StorageError(SetupError):
    """The database cannot be used; the message names its file and the way out."""


class DatabaseUnavailable(OperationalError):
    """The database is locked, full, damaged or out of reach, which is the fault of nothing that was asked of it.

    That is in the log, once and not for everybody who comes meanwhile.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(None, None, error)


def open_database(url: str) -> Engine:
    """An engine for a SQLite file, which is made if it is not there. Raises StorageError.

    What is done with it raises DatabaseUnavailable.
    """
    path = database_path(url)
    _check(path)
    # Errors go to the log, and what visitors say is not to stay there when they are forgotten.
    engine = create_engine(url, connect_args={"timeout": LOCK_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "handle_error", _TellsWhatIsWrong(path))
    return engine


def database_path(url: str) -> Path:
    """The file of a database."""
    return Path(make_url(url).database or "")


def is_damaged(error: BaseException) -> bool:
    """Whether an error says that a file is damaged or no database."""
    return _code(error) in _DAMAGED


def log_failure(to: logging.Logger, text: str, error: Exception) -> None:
    """Log an error with its traceback, unless it is DatabaseUnavailable, which is in the log.

    That something was changed by somebody else meanwhile, as by a restore, is a sentence.
    """
    if isinstance(error, IntegrityError):
        to.warning("%s %s", text, error.orig)
    elif not isinstance(error, DatabaseUnavailable):
        to.error(text, exc_info=error)


@contextmanager
def errors_as_sentences(path: Path) -> Iterator[None]:
    """Raise StorageError for what SQLAlchemy and SQLite raise."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _sentence(path, getattr(error, "orig", None) or error) from error


class _TellsWhatIsWrong:
    """Raises DatabaseUnavailable where it is at fault, and logs that a file is damaged; but not for every message."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = False

    def __call__(self, context: ExceptionContext) -> None:
        error = context.original_exception
        if _code(error) not in _UNAVAILABLE:
            return
        if is_damaged(error) and not self._told:
            self._told = True
            logger.error("%s", _sentence(self._path, error))
        raise DatabaseUnavailable(error) from error


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


def _check(path: Path) -> None:
    log = Path(f"{path}-wal")
    with suppress(OSError), log.open("rb") as file:
        if not _is_log(file.read(_LOG_HEADER.size)):
            raise StorageError(
                f"{log} is damaged, so what was last written to the database {path} is lost. If there is a backup, "
                f"take it back with python -m chatbot restore FILE. Otherwise move {log} away and start again."
            )
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_SECONDS)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise _sentence(path, error) from error
    if verdict != "ok":
        damage = sqlite3.DatabaseError(verdict)
        raise _sentence(path, damage) from damage


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
        f"The database {path} is damaged or is no SQLite database: {error}. If there is a backup, take it back with "
        "python -m chatbot restore FILE. Otherwise move the file away and start again, Diego then makes a new one; or "
        "name another file with DIEGO_DATABASE_URL."
    )
