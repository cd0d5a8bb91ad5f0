"""Who was forgotten, and that nothing of them stays in the files of the database."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from hashlib import sha256

from sqlalchemy import Boolean, Column, Connection, Engine, MetaData, String, Table, bindparam, func, select
from sqlalchemy.exc import OperationalError

from chatbot.bot.database import insert
from chatbot.bot.writer import Writer

logger = logging.getLogger(__name__)

WIPE_SECONDS = 30.0
"""How long to wait for those who still read what was."""

ATTEMPT_SECONDS = 0.1
"""How long others cannot write while that is tried, and then can again."""

MOST_WAITING = 16
"""How many may wait for that: each keeps a thread from other visitors. What more there is they wipe out as well."""

REST = 4
"""For how many times as long as it took others can write before it is done anew, for all who have come meanwhile."""

metadata = MetaData()
_forgotten = Table(
    "forgotten",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("wiped", Boolean, nullable=False),
)
# Made once, as in `chatbot.bot.turns`: everybody who connects is looked up.
_FIND = select(_forgotten.c.digest).where(_forgotten.c.digest == bindparam("digest"))


class Forgotten:
    """The visitors who were forgotten, by a digest of their numbers, which are never used again.

    Deleted rows are overwritten, as `secure_delete` is on. But SQLite leaves copies of rows behind that it once moved
    from page to page, and in the write-ahead log. So the file is written anew, and the log emptied. What PostgreSQL
    leaves in its files is its operator's business (docs/scaling.md).
    """

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer
        self._room = threading.Semaphore(MOST_WAITING)
        self._wiping = threading.Lock()
        self._rest_until = 0.0
        self._leaves_traces = engine.dialect.name == "sqlite"
        self.wipe(seconds=0)  # the last time may have been interrupted

    def __contains__(self, visitor: str) -> bool:
        with self._engine.connect() as connection:
            return connection.scalar(_FIND, {"digest": digest(visitor)}) is not None

    def count(self) -> int:
        """How many visitors were forgotten; who sees it change may look for whom."""
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(_forgotten)) or 0

    def add(self, connection: Connection, visitor: str) -> None:
        """Note that a visitor is forgotten, in the transaction that deletes the rows; `wipe` is to follow."""
        row = {"digest": digest(visitor), "wiped": False}
        again = {"wiped": False}
        connection.execute(
            insert(connection, _forgotten).on_conflict_do_update(index_elements=["digest"], set_=again), row
        )

    def add_digests(self, connection: Connection, digests: Collection[str]) -> None:
        """Note those who were forgotten elsewhere, likewise; who is known as forgotten stays as he is."""
        rows = [{"digest": one, "wiped": False} for one in digests]
        if rows:
            connection.execute(insert(connection, _forgotten).on_conflict_do_nothing(), rows)

    def wipe(self, seconds: float = WIPE_SECONDS) -> bool:
        """Take out of the files what was deleted; False if others were in the way for longer, or too many wait.

        It is then tried again the next time, and at the next start.
        """
        if not self._leaves_traces:
            return True
        if not self._room.acquire(blocking=False):
            return False
        try:
            with self._wiping:  # one does it for all that wait
                return self._wipe(seconds)
        finally:
            self._room.release()

    def _wipe(self, seconds: float) -> bool:
        if not self._not_wiped():
            return True
        time.sleep(max(0.0, min(self._rest_until - time.monotonic(), seconds)))
        digests = self._not_wiped()
        begun = time.monotonic()
        try:
            for step in (self._vacuum, self._empty_log, partial(self._note_wiped, digests)):
                while not self._attempt(step):
                    if time.monotonic() >= begun + seconds:
                        logger.warning("What was forgotten is still in the database's files; others are using them.")
                        return False
                    time.sleep(ATTEMPT_SECONDS)
            return True
        finally:
            now = time.monotonic()
            self._rest_until = now + REST * (now - begun)

    def _attempt(self, step: Callable[[], bool]) -> bool:
        """Whether a step could be done. That it could not is no sign that nobody else could write."""
        try:
            return self._writer.run(lambda: self._done(step))
        except OperationalError:
            return False

    def _done(self, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except OperationalError as error:  # another process is writing, or the disk is full
            logger.info("What was forgotten cannot be wiped out at the moment: %s.", error.orig)
            return False

    def _not_wiped(self) -> Sequence[str]:
        with self._engine.connect() as connection:
            return connection.scalars(select(_forgotten.c.digest).where(~_forgotten.c.wiped)).all()

    def _note_wiped(self, digests: Sequence[str]) -> bool:
        wiped = _forgotten.update().where(_forgotten.c.digest.in_(digests)).values(wiped=True)
        with self._engine.begin() as connection:
            connection.execute(wiped)
        return True

    def _vacuum(self) -> bool:
        self._execute("VACUUM")
        return True

    def _empty_log(self) -> bool:
        """Whether it could be done now; others may be reading what is in it."""
        return self._execute("PRAGMA wal_checkpoint(TRUNCATE)") == 0

    def _execute(self, statement: str) -> int | None:
        """The first number that a statement gives outside of a transaction."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
            connection.exec_driver_sql(f"PRAGMA busy_timeout={1000 * ATTEMPT_SECONDS:.0f}")
            try:
                result = connection.exec_driver_sql(statement)
                return result.scalar() if result.returns_rows else None
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={patience}")


def digest(visitor: str) -> str:
    """By what a visitor is known who was forgotten."""
    return sha256(visitor.encode()).hexdigest()
