"""All that Diego keeps of his visitors: what was said, what he is to call them, what they taught him."""

import logging
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, MetaData, String, Table, bindparam, select, union
from sqlalchemy.exc import SQLAlchemyError

from chatbot.bot.database import alone, database_path, errors_as_sentences, insert, is_file, log_failure, open_database
from chatbot.bot.forgotten import Forgotten, digest
from chatbot.bot.forgotten import metadata as forgotten_metadata
from chatbot.bot.lessons import Lessons
from chatbot.bot.lessons import metadata as lessons_metadata
from chatbot.bot.questions import Questions
from chatbot.bot.questions import metadata as questions_metadata
from chatbot.bot.room import RoomLog
from chatbot.bot.room import metadata as room_metadata
from chatbot.bot.schema import bring_up_to_date
from chatbot.bot.turns import NO_LIMIT, Turns, turn_table
from chatbot.bot.turns import metadata as turns_metadata
from chatbot.bot.writer import Soon, Writer, at_once

logger = logging.getLogger(__name__)

metadata = MetaData()
_visitor = Table(
    "visitor", metadata, Column("id", String(32), primary_key=True), Column("name", String, nullable=False)
)
_NAME = select(_visitor.c.name).where(_visitor.c.id == bindparam("visitor"))

# Of PostgreSQL only: beside a file of SQLite's it is in one of its own.
_secret = Table("secret", MetaData(), Column("key", String, primary_key=True))

# Another mark after each restore, by which servers notice it.
_restored = Table("restored", metadata, Column("mark", String(32), primary_key=True))


class Newcomer(NamedTuple):
    """A visitor who comes; the number of the last turn is None if it is not known."""

    is_forgotten: bool
    last_number: int | None = None


class Diary:
    """What is kept of visitors, in a database that only its owner may read. Threads may share it; `soon` is Writer's.

    Whatever else holds something of visitors adds a function to `on_come` and one to `on_forget`, which are called with
    their numbers, and one to `on_restore`, which is called when a backup was put in the place of all that was. One in
    `on_stale` is called with the number of a visitor of whom another process may have written something.
    """

    def __init__(self, database_url: str, soon: Soon = at_once) -> None:
        self._url = database_url
        if is_file(database_url):
            with suppress(OSError):  # open_database says what is wrong
                database_path(database_url).touch(mode=0o600)
        self._engine = open_database(database_url)
        self.on_come: list[Callable[[str], object]] = []
        self.on_stale: list[Callable[[str], None]] = []
        self.on_forget: list[Callable[[str], None]] = []
        self.on_restore: list[Callable[[], None]] = []
        with errors_as_sentences(self._url):
            bring_up_to_date(self._engine, "visitors")
            self._writer = Writer(self._engine, turn_table, soon)
            self.forgotten = Forgotten(self._engine, self._writer)
            self.turns = Turns(self._engine, self._writer)
            self.lessons = Lessons(self._engine, self._writer, self.forgotten)
            self.room = RoomLog(self._engine, self._writer, self.forgotten)
            self.questions = Questions(self._engine, self._writer)
            self._mark = self.mark()
        self.on_come.append(self.lessons.of)
        self.on_stale.append(self.lessons.drop)
        self.on_restore.append(self.lessons.drop_all)

    def close(self) -> None:
        """Write what waits, and close the database."""
        self._writer.close()
        self._engine.dispose()

    def secret_key(self, new: str | None = None) -> str:
        """What cookies are signed with by all processes that use PostgreSQL: that one, or any, if there is none yet."""
        with errors_as_sentences(self._url), self._engine.begin() as connection:
            alone(connection, _secret)
            key: str | None = connection.scalar(select(_secret.c.key))
            if key is None:
                key = new or secrets.token_urlsafe(32)
                connection.execute(_secret.insert(), {"key": key})
        return key

    def name(self, visitor: str) -> str | None:
        """What a visitor wants to be called."""
        with self._engine.connect() as connection:
            name: str | None = connection.scalar(_NAME, {"visitor": visitor})
        return name

    def call(self, visitor: str, name: str) -> None:
        """Remember what a visitor wants to be called; one who was forgotten stays so."""

        def write() -> None:
            if visitor not in self.forgotten:
                with self._engine.begin() as connection:
                    named = insert(connection, _visitor).on_conflict_do_update(
                        index_elements=["id"], set_={"name": name}
                    )
                    connection.execute(named, {"id": visitor, "name": name})

        self._writer.run(write)

    def forget_name(self, visitor: str) -> str | None:
        """Call a visitor nothing any more; the name that is forgotten, None if there was none."""
        name = self.name(visitor)

        def erase() -> None:
            with self._engine.begin() as connection:
                connection.execute(_visitor.delete().where(_visitor.c.id == visitor))

        if name is not None:
            self._writer.run(erase)
        return name

    def knows(self, visitor: str) -> bool:
        """Whether anything of a visitor is kept."""
        return bool(
            self.turns.last_number(visitor) or self.name(visitor) or self.room.of(visitor) or self.lessons.of(visitor)
        )

    def export(self, visitor: str) -> dict[str, Any]:
        """All that is known of a visitor, as values for JSON."""
        lessons = [lesson._asdict() for lesson in self.lessons.of(visitor)]
        turns = [turn._asdict() for turn in self.turns.before(visitor, NO_LIMIT, NO_LIMIT)]
        room = [said._asdict() for said in self.room.of(visitor)]
        for row in (*lessons, *turns, *room):
            del row["visitor"]
        return {"visitor": visitor, "name": self.name(visitor), "lessons": lessons, "turns": turns, "room": room}

    def come(self, visitor: str) -> Newcomer:
        """Look up now what is needed to answer a visitor, and not when he waits for the reply; or then, if it fails."""
        if visitor in self.forgotten:
            return Newcomer(is_forgotten=True)
        try:
            for recall in self.on_come:
                recall(visitor)
            return Newcomer(is_forgotten=False, last_number=self.turns.last_number(visitor))
        except SQLAlchemyError as error:
            log_failure(logger, "What is known of a visitor could not be looked up.", error)
            return Newcomer(is_forgotten=False)

    def read_anew(self, visitor: str) -> None:
        """Do not rely on what is remembered of a visitor: another process may have written something."""
        for let_go in self.on_stale:
            let_go(visitor)

    def forget(self, visitor: str) -> bool:
        """Erase all that is known of a visitor, for good, and never let the number be used again.

        False if others use the database's files, so that traces stay in them for a while (see `Forgotten.wipe`).
        """

        def erase() -> None:
            with self._engine.begin() as connection:
                self._erase(connection, visitor)
                self.forgotten.add(connection, visitor)

        self._writer.run(erase)
        self.lessons.drop(visitor)
        for forget in self.on_forget:
            forget(visitor)
        return self.forgotten.wipe()

    def mark(self) -> str | None:
        """What tells one restore from another; None if there was none."""
        with self._engine.connect() as connection:
            return connection.scalar(select(_restored.c.mark))

    def notice_restore(self) -> bool:
        """Whether a backup was restored since this was asked the last time; if so, nothing of before is held on to."""
        mark = self.mark()
        if mark == self._mark:
            return False
        for let_go in self.on_restore:
            let_go()
        self._mark = mark
        return True

    def mark_restored(self) -> None:
        """Make this what is to be restored."""
        with errors_as_sentences(self._url), self._engine.begin() as connection:
            connection.execute(_restored.delete())
            connection.execute(_restored.insert(), {"mark": secrets.token_hex(16)})

    def check(self) -> None:
        """See that all tables are as they are made here. Raises StorageError."""
        with errors_as_sentences(self._url), self._engine.connect() as connection:
            for tables in _ALL_TABLES:
                for table in tables.sorted_tables:
                    connection.execute(select(table).limit(1)).all()

    def take_over(self, forgotten: Collection[str], numbers: Collection[tuple[str, int]]) -> None:
        """Erase those who were forgotten elsewhere, by their digests, and give no number that was given there."""
        with errors_as_sentences(self._url):
            with self._engine.begin() as connection:
                for visitor in connection.scalars(_EVERYBODY).all():
                    if digest(visitor) in forgotten:
                        self._erase(connection, visitor)
                self.forgotten.add_digests(connection, forgotten)
                for table, number in numbers:
                    connection.exec_driver_sql(_RAISE, (number, table))
                    connection.exec_driver_sql(_RAISE_FROM_NONE, (table, number, table))
            self.forgotten.wipe()

    def _erase(self, connection: Connection, visitor: str) -> None:
        self.turns.erase(connection, visitor)
        self.lessons.erase(connection, visitor)
        self.room.erase(connection, visitor)
        connection.execute(_visitor.delete().where(_visitor.c.id == visitor))


_ALL_TABLES = (
    *(metadata, turns_metadata, lessons_metadata, room_metadata),
    *(questions_metadata, forgotten_metadata),
)
_EVERYBODY = union(
    select(_visitor.c.id),
    *(
        select(table.c.visitor)
        for tables in (turns_metadata, lessons_metadata, room_metadata)
        for table in tables.sorted_tables
        if "visitor" in table.c
    ),
)
_RAISE = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?"
_RAISE_FROM_NONE = """
INSERT INTO sqlite_sequence (name, seq) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?)
"""
