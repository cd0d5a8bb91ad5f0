"""All that Diego keeps of his visitors: what was said, what he is to call them, what they taught him."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, select
from sqlalchemy.dialects.sqlite import insert

from chatbot.bot.database import database_path, errors_as_sentences, open_database
from chatbot.bot.forgotten import Forgotten
from chatbot.bot.lessons import Lessons
from chatbot.bot.questions import Questions
from chatbot.bot.room import RoomLog
from chatbot.bot.turns import NO_LIMIT, Turns, make_table, turn_table
from chatbot.bot.writer import Soon, Writer, at_once

metadata = MetaData()
_visitor = Table(
    "visitor", metadata, Column("id", String(32), primary_key=True), Column("name", String, nullable=False)
)


class Diary:
    """What is kept of visitors, in a database that only its owner may read. Threads may share it; `soon` is Writer's.

    Whatever else holds something of visitors adds a function to `on_forget`, which is called with their numbers.
    """

    def __init__(self, database_url: str, soon: Soon = at_once) -> None:
        with suppress(OSError):  # open_database says what is wrong
            database_path(database_url).touch(mode=0o600)
        self._engine = open_database(database_url)
        self.on_forget: list[Callable[[str], None]] = []
        with errors_as_sentences(database_path(database_url)):
            metadata.create_all(self._engine)
            make_table(self._engine)
            self._writer = Writer(self._engine, turn_table, soon)
            self.forgotten = Forgotten(self._engine, self._writer)
            self.turns = Turns(self._engine, self._writer)
            self.lessons = Lessons(self._engine, self._writer, self.forgotten)
            self.room = RoomLog(self._engine, self._writer, self.forgotten)
            self.questions = Questions(self._engine, self._writer)

    def close(self) -> None:
        """Write what waits, and close the database."""
        self._writer.close()
        self._engine.dispose()

    def name(self, visitor: str) -> str | None:
        """What a visitor wants to be called."""
        with self._engine.connect() as connection:
            name: str | None = connection.scalar(select(_visitor.c.name).where(_visitor.c.id == visitor))
        return name

    def call(self, visitor: str, name: str) -> None:
        """Remember what a visitor wants to be called; one who was forgotten stays so."""
        row = insert(_visitor)
        named = row.on_conflict_do_update(index_elements=["id"], set_={"name": row.excluded.name})

        def write() -> None:
            if visitor not in self.forgotten:
                with self._engine.begin() as connection:
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
        """Whether anything of a visitor is kept, but for lessons."""
        return bool(self.turns.last_number(visitor) or self.name(visitor) or self.room.of(visitor))

    def export(self, visitor: str) -> dict[str, Any]:
        """All that is known of a visitor, as values for JSON."""
        lessons = [lesson._asdict() for lesson in self.lessons.of(visitor)]
        turns = [turn._asdict() for turn in self.turns.before(visitor, NO_LIMIT, NO_LIMIT)]
        room = [said._asdict() for said in self.room.of(visitor)]
        for row in (*lessons, *turns, *room):
            del row["visitor"]
        return {"visitor": visitor, "name": self.name(visitor), "lessons": lessons, "turns": turns, "room": room}

    def forget(self, visitor: str) -> bool:
        """Erase all that is known of a visitor, for good, and never let the number be used again.

        False if others use the database's files, so that traces stay in them for a while (see `Forgotten.wipe`).
        """

        def erase() -> None:
            with self._engine.begin() as connection:
                self.turns.erase(connection, visitor)
                self.lessons.erase(connection, visitor)
                self.room.erase(connection, visitor)
                connection.execute(_visitor.delete().where(_visitor.c.id == visitor))
                self.forgotten.add(connection, visitor)

        self._writer.run(erase)
        self.lessons.drop(visitor)
        for forget in self.on_forget:
            forget(visitor)
        return self.forgotten.wipe()
