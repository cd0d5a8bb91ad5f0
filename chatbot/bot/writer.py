"""Writes to the database, many in one transaction: what each costs alone is mostly the commit."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine, Table
from sqlalchemy.exc import DBAPIError, ResourceClosedError

logger = logging.getLogger(__name__)

MOST_WAITING = 100
"""Whoever writes when so many rows wait commits them himself."""

CLOSED = "The database is closed."

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
    """

    def __init__(self, engine: Engine, table: Table, soon: Soon = at_once) -> None:
        # One for all batches: to take one out of the pool for each costs more than to write a row.
        self._connection = engine.connect()
        self._insert = f"INSERT INTO {table.name} VALUES "  # noqa: S608 - our own table
        self._values = f"({', '.join('?' * len(table.columns))})"
        self._soon = soon
        self._waiting: list[_Write] = []
        self._closed = False
        self._changing = threading.Lock()
        self._writing = threading.Lock()

    def write(self, row: tuple[Any, ...], done: Done) -> None:
        """Insert a row; its values are in the order of the table's columns.

        `done` is called in whichever thread when that is committed or failed, or here if the writer is closed. It must
        not write.
        """
        with self._changing:
            if not self._closed:
                self._waiting.append(_Write(row, done))
            waiting, closed = len(self._waiting), self._closed
        if closed:
            done(ResourceClosedError(CLOSED))
        elif waiting == 1:
            self._soon(self.flush)
        elif waiting >= MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Commit what waits."""
        with self._writing:
            self._commit(self._take())

    def run(self, function: Callable[[], T]) -> T:
        """What a function returns or raises, when all that waits is committed.

        Nothing else is written meanwhile, so it may look at the database before it changes it. Raises
        ResourceClosedError if the writer is closed.
        """
        with self._writing:
            self._commit(self._take())
            if self._closed:
                raise ResourceClosedError(CLOSED)
            return function()

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
            with self._connection.begin():
                for start in range(0, len(batch), MOST_WAITING):
                    self._execute(batch[start : start + MOST_WAITING])
        except Exception as error:  # noqa: BLE001 - those who wait are told
            self._fail(batch, error)
        else:
            _tell(batch, None)

    def _execute(self, writes: Sequence[_Write]) -> None:
        # In one statement: between two, another thread may take its time.
        values = ", ".join([self._values] * len(writes))
        self._connection.exec_driver_sql(self._insert + values, (*chain.from_iterable(write.row for write in writes),))

    def _fail(self, batch: list[_Write], error: Exception) -> None:
        """Find the one that is at fault and commit the others. If the database is locked, that is nobody's fault."""
        if _locked(error):
            batch = batch + self._take()  # who came meanwhile is not to wait as long again
        elif len(batch) > 1:
            middle = len(batch) // 2
            self._commit(batch[:middle])
            self._commit(batch[middle:])
            return
        _tell(batch, error)


def _locked(error: Exception) -> bool:
    reason = error.orig if isinstance(error, DBAPIError) else None
    return isinstance(reason, sqlite3.OperationalError) and reason.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _tell(batch: Sequence[_Write], error: Exception | None) -> None:
    for write in batch:
        try:
            write.done(error)
        except Exception:  # the others wait, too
            logger.exception("Whoever waited for a write could not be told.")
