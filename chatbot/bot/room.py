"""What was last said in the room, in which everybody reads everybody."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Engine, Float, Integer, MetaData, Select, String, Table, select

from chatbot.bot.database import alone
from chatbot.bot.forgotten import Forgotten
from chatbot.bot.writer import Writer

ROOM = "room"
"""Diego's conversation in the room, in the place of a visitor's number: it is everybody's."""

MOST_KEPT = 200
"""How many messages are kept."""

metadata = MetaData()
_message = Table(
    "room",
    metadata,
    # Never given twice, though the last messages are erased: clients tell by it what they have seen.
    Column("number", Integer, primary_key=True),
    Column("visitor", String(32), nullable=False),
    Column("name", String, nullable=False),
    Column("message_id", String(64)),
    Column("text", String, nullable=False),
    Column("said_at", Float, nullable=False),
    Column("answers", Integer),
    sqlite_autoincrement=True,
)
_newest_of_old = select(_message.c.number).order_by(_message.c.number.desc()).offset(MOST_KEPT).limit(1)
_insert_one = _message.insert().returning(_message.c.number)
_trim = _message.delete().where(_message.c.number <= _newest_of_old.scalar_subquery())


class Said(NamedTuple):
    """A message. Diego's are kept with the visitor whom they answer, and `answers` is the number of what was asked.

    `number` is 0 until it is kept; `message_id` is the client's; `said_at`: seconds since 1970.
    """

    number: int
    visitor: str
    name: str
    message_id: str | None
    text: str
    said_at: float
    answers: int | None = None


class RoomLog:
    """The last messages of the room in a database. Threads may share it."""

    def __init__(self, engine: Engine, writer: Writer, forgotten: Forgotten) -> None:
        self._engine = engine
        self._writer = writer
        self._forgotten = forgotten

    def keep(self, messages: Sequence[Said]) -> list[Said | None]:
        """Commit messages in one transaction; each with its number, None for one of a visitor who was forgotten.

        One that a client has said again is kept once.
        """
        return self._writer.run(lambda: self._keep(messages))

    def last(self) -> list[Said]:
        """The messages that are kept, in order."""
        return self._find(select(_message))

    def after(self, number: int) -> list[Said]:
        """Those after that number, in order."""
        return self._find(select(_message).where(_message.c.number > number))

    def of(self, visitor: str) -> list[Said]:
        """What a visitor said, and what Diego answered to it."""
        return self._find(select(_message).where(_message.c.visitor == visitor))

    def erase(self, connection: Connection, visitor: str) -> None:
        """Delete that, in a transaction of the caller's."""
        connection.execute(_message.delete().where(_message.c.visitor == visitor))

    def _keep(self, messages: Sequence[Said]) -> list[Said | None]:
        with self._engine.begin() as connection:
            # So that no other process has somebody forgotten meanwhile, and the numbers are in the order of commits.
            alone(connection, _message)
            forgotten = {visitor for visitor in {said.visitor for said in messages} if visitor in self._forgotten}
            kept = [None if said.visitor in forgotten else _insert_once(connection, said) for said in messages]
            connection.execute(_trim)
        return kept

    def _find(self, query: Select[Any]) -> list[Said]:
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_message.c.number.desc()).limit(MOST_KEPT)).all()
        return [Said._make(row) for row in reversed(rows)]


def _insert_once(connection: Connection, said: Said) -> Said:
    if said.message_id is None:
        return _insert(connection, said)
    before = _message.c.visitor == said.visitor, _message.c.message_id == said.message_id, _message.c.answers.is_(None)
    row = connection.execute(select(_message).where(*before)).first()
    return Said._make(row) if row else _insert(connection, said)


def _insert(connection: Connection, said: Said) -> Said:
    values = said._asdict()
    del values["number"]
    return said._replace(number=connection.execute(_insert_one, values).scalar_one())
