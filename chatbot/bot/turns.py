"""What visitors and Diego said to each other, kept for good; each visitor's turns are a conversation of their own.

Every turn is committed before anybody is told that it is. Many are committed at once, so that this costs little.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    select,
)

from chatbot.bot.receipts import Kind
from chatbot.bot.writer import Done, Writer

metadata = MetaData()
turn_table = Table(
    "turn",
    metadata,
    Column("visitor", String(32), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", String(64)),
    Column("prompt", String, nullable=False),
    Column("reply", String, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("why", String, nullable=False),
    Column("said_at", Float, nullable=False),
    Column("kind", String(8), nullable=False),
)
Index(
    "turn_message_id",
    turn_table.c.visitor,
    turn_table.c.message_id,
    unique=True,
    sqlite_where=turn_table.c.message_id.is_not(None),
    postgresql_where=turn_table.c.message_id.is_not(None),
)
# For what an operator is to look at. Most turns are sure, and not in it; new ones come at its ends: ordered by visitors
# it cost a tenth of the throughput, as every turn of a commit then changes another page (docs/choices.md).
Index(
    "turn_newest_unsure",
    turn_table.c.kind,
    turn_table.c.said_at,
    turn_table.c.visitor,
    turn_table.c.confidence,
    sqlite_where=turn_table.c.confidence < 1,
    postgresql_where=turn_table.c.confidence < 1,
)

NO_LIMIT = (1 << 63) - 1
"""As a number of a turn: after all others."""


# Made once: SQLAlchemy takes three times as long to put a query together as to carry it out.
_OF_VISITOR = select(turn_table).where(turn_table.c.visitor == bindparam("visitor"))
_LAST_NUMBER = select(func.max(turn_table.c.number)).where(turn_table.c.visitor == bindparam("visitor"))
_LAST_NUMBERS = (
    select(turn_table.c.visitor, func.max(turn_table.c.number))
    .where(turn_table.c.visitor.in_(bindparam("visitors", expanding=True)))
    .group_by(turn_table.c.visitor)
)
_FIND = _OF_VISITOR.where(turn_table.c.message_id == bindparam("message_id"))
_BEFORE, _AFTER = (
    _OF_VISITOR.where(there).order_by(order).limit(bindparam("limit"))
    for there, order in (
        (turn_table.c.number < bindparam("number"), turn_table.c.number.desc()),
        (turn_table.c.number > bindparam("number"), turn_table.c.number),
    )
)


class Turn(NamedTuple):
    """What a visitor said and what Diego replied. `number` counts a visitor's turns from 1; `said_at`: s since 1970.

    `kind` is that of the receipt, empty for turns of an earlier version.
    """

    visitor: str
    number: int
    message_id: str | None
    prompt: str
    reply: str = ""
    confidence: float = 0.0
    why: str = ""
    said_at: float = 0.0
    kind: Kind | Literal[""] = ""


class Turns:
    """The log of turns in a database. Threads may share it.

    The database refuses a turn that does not follow the last: a visitor's turns may be others than a moment ago, when a
    backup was restored or another process writes.

    Whatever else is to know of a reply adds a function to `on_keep`, which is called with the visitor and the reply;
    one in `on_commit` is called with how many turns were committed at once.
    """

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer
        self.on_keep: list[Callable[[str, str], None]] = []
        self.on_commit = writer.on_commit

    def add(self, turn: Turn, done: Done) -> None:
        """Write a turn; `done` is called in another thread when it is committed, with the error if it cannot be."""

        def tell(error: Exception | None) -> None:
            if error is None:
                for keep in self.on_keep:
                    keep(turn.visitor, turn.reply)
            done(error)

        self._writer.write(turn, tell)

    def last_number(self, visitor: str) -> int:
        """The number of a visitor's last turn, 0 if there is none."""
        with self._engine.connect() as connection:
            return connection.scalar(_LAST_NUMBER, {"visitor": visitor}) or 0

    def last_numbers(self, visitors: Sequence[str]) -> dict[str, int]:
        """The numbers of the last turns of those visitors who have had one."""
        with self._engine.connect() as connection:
            rows = connection.execute(_LAST_NUMBERS, {"visitors": visitors}).all()
        return dict(rows)  # type: ignore[arg-type]  # rows are tuples

    def find(self, visitor: str, message_id: str) -> Turn | None:
        """The turn in which a message of that id was answered."""
        with self._engine.connect() as connection:
            row = connection.execute(_FIND, {"visitor": visitor, "message_id": message_id}).first()
        return Turn._make(row) if row else None

    def last_replies(self, visitor: str, limit: int) -> list[str]:
        """What Diego said last to a visitor, in order."""
        return [turn.reply for turn in self.before(visitor, NO_LIMIT, limit)]

    def before(self, visitor: str, number: int, limit: int) -> list[Turn]:
        """The last turns before that number, in order."""
        with self._engine.connect() as connection:
            rows = connection.execute(_BEFORE, {"visitor": visitor, "number": number, "limit": limit}).all()
        return [Turn._make(row) for row in reversed(rows)]

    def after(self, visitor: str, number: int, limit: int) -> list[Turn]:
        """The first turns after that number, in order."""
        with self._engine.connect() as connection:
            rows = connection.execute(_AFTER, {"visitor": visitor, "number": number, "limit": limit}).all()
        return [Turn._make(row) for row in rows]

    def erase(self, connection: Connection, visitor: str) -> None:
        """Delete all that was said with a visitor, in a transaction of the caller's."""
        connection.execute(turn_table.delete().where(turn_table.c.visitor == visitor))
