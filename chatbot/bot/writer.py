"""Writes to the database, many in one transaction: what each costs alone is mostly the commit."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine, Table, func, select
from sqlalchemy.exc import ResourceClosedError

from chatbot.bot.database import DatabaseUnavailable, database_name, first_line

logger = logging.getLogger(__name__)

MOST_WAITING = 100
"""Whoever writes when so many rows wait commits them himself, if nobody is at it."""

MOST_ROWS = 10_000
"""How many may wait while somebody is. Whoever writes then is refused."""

MOST_THREADS = 32
"""How many may stand in line to write: each keeps a thread from visitors who just read. Who comes then is refused."""

CLOSED = "The database is closed."
CROWDED = "too many are waiting to write to it"

Done = Callable[[Exception | None], None]
Soon = Callable[[Callable[[], None]], None]
T = TypeVar("T")


class _Write(NamedTuple):
    row: tuple[Any, ...]
    done: Done


def at_once(function: Callable[[], None]) -> None:
    """Call a function."""
    function()


class Writer:
    """Commits rows of a table in the order in which they come. Threads may share it.

    It has no thread of its own: `soon` has a function called in one that is at work anyway, and then commits all rows
    that have come meanwhile. A thread that is woken for every row costs more than to write it (docs/choices.md).

    When the database is locked or the disk full, those who wait have waited for nothing. From then on nobody waits:
    everybody else is told at once, until something can be written.
    Whoever wants to know how many that are adds a function to `on_commit`.
    """

    def __init__(self, engine: Engine, table: Table, soon: Soon = at_once) -> None:
        # One for all batches: to take one out of the pool for each costs more than to write a row.
        self._connection = engine.connect()
        self._name = database_name(engine.url.render_as_string())
        self._insert = f"INSERT INTO {table.name} VALUES "  # noqa: S608 - our own table
        self._is_file = engine.dialect.name == "sqlite"
        parameter = "?" if self._is_file else "%s"
        self._values = f"({', '.join([parameter] * len(table.columns))})"
        self._soon = soon
        self.on_commit: list[Callable[[int], None]] = []
        self._waiting: list[_Write] = []
        self._closed = False
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self._line = threading.Semaphore(MOST_THREADS)
        self._in_trouble = False

    def write(self, row: tuple[Any, ...], done: Done) -> None:
        """Insert a row; its values are in the order of the table's columns.

        `done` is called in whichever thread when that is committed or failed, or here if the writer is closed or too
        much waits. It must not write.
        """
        refused: Exception | None = None
        with self._changing:
            if self._closed:
                refused = ResourceClosedError(CLOSED)
            elif len(self._waiting) >= MOST_ROWS:
                refused = _crowded()
            else:
                self._waiting.append(_Write(row, done))
            waiting = len(self._waiting)
        if refused:
            done(refused)
        elif waiting == 1:
            self._soon(self.flush)
        elif waiting >= MOST_WAITING and self._writing.acquire(blocking=False):
            try:
                self._commit(self._take())
            finally:
                self._writing.release()

    def flush(self) -> None:
        """Commit what waits."""
        with self._writing:
            self._commit(self._take())

    def run(self, function: Callable[[], T]) -> T:
        """What a function returns or raises, when all that waits is committed.

        Nothing else is written meanwhile, so it may look at the database before it changes it. Raises
        ResourceClosedError if the writer is closed, and DatabaseUnavailable also if too many stand in line.
        """
        if not self._line.acquire(blocking=False):
            raise _crowded()
        try:
            with self._writing:
                self._commit(self._take())
                if self._closed:
                    raise ResourceClosedError(CLOSED)
                return self._attempt(function)
        finally:
            self._line.release()

    def close(self) -> None:
        """Commit what waits, when what runs is over."""
        with self._changing:
            self._closed = True
        self.flush()
        self._connection.close()

    def _take(self) -> list[_Write]:
        with self._changing:
            batch, self._waiting = self._waiting, []
        return batch

    def _commit(self, batch: list[_Write]) -> None:
        if not batch:
            return
        try:
            self._attempt(partial(self._insert_all, batch))
        except Exception as error:  # noqa: BLE001 - those who wait are told
            self._fail(batch, error)
        else:
            for note in self.on_commit:
                note(len(batch))
            _tell(batch, None)

    def _insert_all(self, batch: list[_Write]) -> None:
        with self._connection.begin():
            for start in range(0, len(batch), MOST_WAITING):
                self._execute(batch[start : start + MOST_WAITING])

    def _execute(self, writes: Sequence[_Write]) -> None:
        # In one statement: between two, another thread may take its time.
        values = ", ".join([self._values] * len(writes))
        self._connection.exec_driver_sql(self._insert + values, (*chain.from_iterable(write.row for write in writes),))

    def _fail(self, batch: list[_Write], error: Exception) -> None:
        """Find the one that is at fault and commit the others. If the database is, that is none of them."""
        if isinstance(error, DatabaseUnavailable):
            batch = batch + self._take()  # who came meanwhile is not to wait as long again
        elif len(batch) > 1:
            middle = len(batch) // 2
            self._commit(batch[:middle])
            self._commit(batch[middle:])
            return
        _tell(batch, error)

    def _attempt(self, function: Callable[[], T]) -> T:
        """What a function returns that writes, if anything can be written. That it cannot, and can again, is logged."""
        try:
            if self._in_trouble:
                self._probe()
            result = function()
        except DatabaseUnavailable as error:
            if not self._in_trouble:
                self._in_trouble = True
                reason = first_line(error.orig)
                logger.error("Nothing can be written to %s: %s. Visitors are told so.", self._name, reason)  # noqa: TRY400
            raise
        if self._in_trouble:
            self._in_trouble = False
            logger.warning("The database %s can be written again.", self._name)
        return result

    def _probe(self) -> None:
        """Write something, without waiting for whoever holds a lock. Raises DatabaseUnavailable."""
        if not self._is_file:
            with self._connection.begin():
                self._connection.execute(select(func.pg_current_xact_id()))
            return
        patience = self._pragma("busy_timeout")
        self._pragma("busy_timeout=0")
        try:
            self._pragma(f"user_version={self._pragma('user_version')}")
        finally:
            self._pragma(f"busy_timeout={patience}")

    def _pragma(self, pragma: str) -> int | None:
        """Its value. Outside of a transaction, or else it would not be committed."""
        cursor = self._connection.connection.cursor()
        try:
            row = cursor.execute(f"PRAGMA {pragma}").fetchone()
        except sqlite3.Error as error:
            raise DatabaseUnavailable(error) from error
        finally:
            cursor.close()
        return row[0] if row else None


def _crowded() -> DatabaseUnavailable:
    return DatabaseUnavailable(sqlite3.OperationalError(CROWDED))


def _tell(batch: Sequence[_Write], error: Exception | None) -> None:
    for write in batch:
        try:
            write.done(error)
        except Exception:  # the others wait, too
            logger.exception("Whoever waited for a write could not be told.")
