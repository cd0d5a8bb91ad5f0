"""What visitors taught their own Diego; nobody else's answers change by it until an operator approves it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    select,
    update,
)

from chatbot import SetupError
from chatbot.bot.database import alone, errors_as_sentences
from chatbot.bot.forgotten import Forgotten
from chatbot.bot.spelling import MAX_LETTERS, may_mean
from chatbot.bot.words import key, terms
from chatbot.bot.writer import Writer
from chatbot.messages import MAX_CHARACTERS, RefusedMessage, read_prompt

MOST_LESSONS = 200
"""How many a visitor may teach."""

MOST_HELD = 10_000
"""How many lessons are held in memory; a visitor counts as one more, of whom so many may be connected by default."""

REFRESH_SECONDS = 1.0
"""How often it is looked up whether another process has changed the lessons."""

OWN, APPROVED, REJECTED = "own", "approved", "rejected"

metadata = MetaData()
_lesson = Table(
    "lesson",
    metadata,
    # Never given twice, and a lesson that takes the place of another gets a new one: else an operator who has read a
    # lesson could approve what the visitor has made of it meanwhile.
    Column("id", Integer, primary_key=True),
    Column("visitor", String(32), nullable=False),
    Column("prompt", String, nullable=False),
    Column("reply", String, nullable=False),
    Column("state", String(8), nullable=False),
    Column("taught_at", Float, nullable=False),
    sqlite_autoincrement=True,
)
Index("lesson_visitor", _lesson.c.visitor)

# Who taught what became knowledge, so that it can be undone even when they have taken the lesson back. It holds a hash
# of the visitor's number, which leads to nobody once Diego has forgotten the visitor.
_origin = Table(
    "lesson_origin",
    metadata,
    Column("lesson", Integer, primary_key=True, autoincrement=False),
    Column("visitor_sha256", String(64), primary_key=True),
    Column("taught_at", Float, nullable=False),
)
_version = Table(
    "lesson_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)
# Made once, as in `chatbot.bot.turns`.
_OF_VISITOR = select(_lesson).where(_lesson.c.visitor == bindparam("visitor")).order_by(_lesson.c.id)


class Lesson(NamedTuple):
    """Says what the reply to a prompt is. `state`: OWN, APPROVED or REJECTED; `taught_at`: s since 1970."""

    id: int
    visitor: str
    prompt: str
    reply: str
    state: str
    taught_at: float


class Undecided(NamedTuple):
    """What may become knowledge: the number and time (s since 1970) of whoever taught it first, and how many did."""

    number: int
    prompt: str
    reply: str
    taught_at: float
    visitors: int


class Undone(NamedTuple):
    """How many lessons were taken away, and the numbers of those that were knowledge and now have no origin."""

    lessons: int
    approved: list[int]


class UnknownLessonError(SetupError):
    """There is nothing of that number to decide on; the message says what to do."""


_Known = dict[str, Lesson]
"""The lessons of a visitor in order, by the keys of their prompts."""

_NONE: _Known = {}
"""Of most visitors, who taught nothing; one for all."""


class TooManyLessons(RefusedMessage):
    """The visitor has taught MOST_LESSONS."""

    def __init__(self) -> None:
        super().__init__(
            f"You have taught me {MOST_LESSONS} things already, and I cannot keep more for one person. "
            "Take one back first, with /unteach and its number; /lessons shows them."
        )


class UnreadableLesson(RefusedMessage):
    """The prompt or the reply is no message."""

    def __init__(self) -> None:
        super().__init__(
            f"I cannot learn that: what you say and what I answer need 1 to {MAX_CHARACTERS:,} characters each."
        )


class Lessons:
    """The lessons of all visitors, in the database. Threads may share it."""

    def __init__(self, engine: Engine, writer: Writer, forgotten: Forgotten) -> None:
        self._engine = engine
        self._writer = writer
        self._forgotten = forgotten
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._held = 0
        # It is held while lessons are read, so that none are put into memory that were changed meanwhile.
        self._lock = threading.Lock()
        self._version: int | None = None
        self._refreshed_at = 0.0

    def of(self, visitor: str) -> list[Lesson]:
        """What a visitor taught, in order; a lesson's number is its place, from 1 on."""
        return [*self._of(visitor).values()]

    def find(self, visitor: str, text_key: str, is_word: Callable[[str], bool] = lambda _: False) -> Lesson | None:
        """The lesson on a text of that key, or on one that differs by a typo in a word, which is no other word."""
        known = self._of(visitor)
        if text_key in known or not known:
            return known.get(text_key)
        words = text_key.split()
        if terms(text_key) != words:
            return None
        near = (prompt for prompt in known if abs(len(prompt) - len(text_key)) <= 1)
        return next((known[prompt] for prompt in near if _is_typo(words, prompt.split(), is_word)), None)

    def teach(self, visitor: str, prompt: str, reply: str) -> Lesson:
        """From now on the reply to a prompt is this, in place of what was taught before.

        Raises TooManyLessons, UnreadableLesson.
        """
        lesson = Lesson(0, visitor, _half(prompt), _half(reply), OWN, time.time())
        row = {name: value for name, value in lesson._asdict().items() if name != "id"}

        def write() -> Lesson:
            with self._engine.begin() as connection:
                known = _read(connection, visitor)
                before = known.pop(key(lesson.prompt), None)
                if len(known) >= MOST_LESSONS:
                    raise TooManyLessons
                if visitor in self._forgotten:  # somebody who has left was still being answered
                    return lesson
                if before:
                    connection.execute(_lesson.delete().where(_lesson.c.id == before.id))
                (number,) = connection.execute(_lesson.insert(), row).inserted_primary_key or (0,)
            return lesson._replace(id=number)

        taught = self._writer.run(write)
        self.drop(visitor)
        return taught

    def unteach(self, visitor: str, number: int) -> Lesson | None:
        """Take a lesson back; None if there is none of that number."""

        def write() -> Lesson | None:
            with self._engine.begin() as connection:
                lessons = [*_read(connection, visitor).values()]
                if not 1 <= number <= len(lessons):
                    return None
                connection.execute(_lesson.delete().where(_lesson.c.id == lessons[number - 1].id))
            return lessons[number - 1]

        lesson = self._writer.run(write)
        self.drop(visitor)
        return lesson

    def erase(self, connection: Connection, visitor: str) -> None:
        """Delete all that a visitor taught, in a transaction of the caller's; `drop` is to follow."""
        connection.execute(_lesson.delete().where(_lesson.c.visitor == visitor))

    def drop(self, visitor: str) -> None:
        """Read a visitor's lessons anew the next time."""
        with self._lock:
            self._let_go(visitor)

    def drop_all(self) -> None:
        """Read everybody's lessons anew the next time."""
        with self._lock:
            self._held = 0
            self._known.clear()

    def undecided(self) -> list[Undecided]:
        """What no operator has decided on, in the order in which it was taught first."""
        with self._engine.connect() as connection:
            return [_summary(alike) for alike in _undecided(connection)]

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction for what an operator decides; visitors' writes wait for its end. Raises StorageError."""
        with errors_as_sentences(self._engine.url.render_as_string()), self._engine.begin() as connection:
            alone(connection, _lesson)
            yield connection

    def decide(self, connection: Connection, number: int, state: str) -> Undecided:
        """Make a lesson APPROVED or REJECTED, for all who taught the same. Raises UnknownLessonError."""
        alike = next((alike for alike in _undecided(connection) if alike[0].id == number), None)
        if alike is None:
            raise UnknownLessonError(
                f"There is no lesson {number} to decide on: it is unknown or has been decided on. "
                "See python -m chatbot lessons."
            )
        decided = update(_lesson).where(_lesson.c.id == bindparam("decided")).values(state=state)
        connection.execute(decided, [{"decided": lesson.id} for lesson in alike])
        if state == APPROVED:
            connection.execute(_origin.insert(), [_origin_row(number, lesson) for lesson in alike])
        return _summary(alike)

    def undo(self, connection: Connection, *, visitor: str | None = None, since: float = 0.0) -> Undone:
        """Take away what was taught since a time, by a visitor or by all."""
        taught, origins = _lesson.c.taught_at >= since, _origin.c.taught_at >= since
        if visitor is not None:
            taught &= _lesson.c.visitor == visitor
            origins &= _origin.c.visitor_sha256 == _hash(visitor)
        approved = set(connection.scalars(select(_origin.c.lesson).where(origins)))
        connection.execute(_origin.delete().where(origins))
        taught_by_others = set(connection.scalars(select(_origin.c.lesson)))
        lessons = connection.execute(_lesson.delete().where(taught)).rowcount
        return Undone(lessons, sorted(approved - taught_by_others))

    def _refresh(self) -> None:
        """Let go of what is held if another process has changed it; looked up once in a while."""
        if time.monotonic() - self._refreshed_at >= REFRESH_SECONDS:
            self._refreshed_at = time.monotonic()
            with self._engine.connect() as connection:
                version = connection.scalar(select(_version.c.version))
            if version != self._version:
                self._version = version
                self.drop_all()

    def _of(self, visitor: str) -> _Known:
        self._refresh()
        known = self._known.get(visitor)
        return self._load(visitor) if known is None else known

    def _load(self, visitor: str) -> _Known:
        with self._lock:
            with self._engine.connect() as connection:
                known = _read(connection, visitor) or _NONE
            self._let_go(visitor)
            self._known[visitor] = known
            self._held += 1 + len(known)
            while self._held > MOST_HELD:
                self._let_go(next(iter(self._known)))
        return known

    def _let_go(self, visitor: str) -> None:
        known = self._known.pop(visitor, None)
        self._held -= 0 if known is None else 1 + len(known)


def _read(connection: Connection, visitor: str) -> _Known:
    lessons = [Lesson._make(row) for row in connection.execute(_OF_VISITOR, {"visitor": visitor})]
    return {key(lesson.prompt): lesson for lesson in lessons}


def _half(text: str) -> str:
    try:
        return read_prompt(text)
    except RefusedMessage:
        raise UnreadableLesson from None


def _is_typo(words: list[str], meant: list[str], is_word: Callable[[str], bool]) -> bool:
    """Whether the words are the same but for one mistake in one of them; not in a number, nor in an endless word."""
    if len(words) != len(meant):
        return False
    differing = [*islice((pair for pair in zip(words, meant, strict=True) if pair[0] != pair[1]), 2)]
    if len(differing) != 1:
        return False
    ((word, known),) = differing
    if len(word) > MAX_LETTERS:
        return False
    return word.isalpha() and known.isalpha() and may_mean(word, known) and not is_word(word)


def _undecided(connection: Connection) -> list[list[Lesson]]:
    """Lessons that say the same, for each such that none of them has been decided on; in order."""
    alike: dict[tuple[str, str], list[Lesson]] = {}
    for row in connection.execute(select(_lesson).order_by(_lesson.c.id)):
        lesson = Lesson._make(row)
        alike.setdefault((key(lesson.prompt), lesson.reply), []).append(lesson)
    return [lessons for lessons in alike.values() if all(lesson.state == OWN for lesson in lessons)]


def _summary(alike: list[Lesson]) -> Undecided:
    first = alike[0]
    return Undecided(first.id, first.prompt, first.reply, first.taught_at, len(alike))


def _origin_row(number: int, lesson: Lesson) -> dict[str, object]:
    return {"lesson": number, "visitor_sha256": _hash(lesson.visitor), "taught_at": lesson.taught_at}


def _hash(visitor: str) -> str:
    return sha256(visitor.encode()).hexdigest()
