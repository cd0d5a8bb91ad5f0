"""What Diego could not answer, or not surely, for an operator to look at: what was asked in the same words together.

All is read from the turns, so nothing is left of a visitor who is forgotten.
"""

import time
from collections.abc import Callable, Collection, Iterator
from hashlib import sha256
from typing import NamedTuple

import Stemmer
from sqlalchemy import Column, Engine, Float, MetaData, String, Table, select, text

from chatbot.bot.database import insert
from chatbot.bot.turns import Turn
from chatbot.bot.words import key, terms
from chatbot.bot.writer import Writer

DAYS = 30
"""How far back it is looked."""

MOST_OF_ONE = 20
"""How many turns of a visitor count, the newest: whoever asks a lot is not to push out what others ask, or not soon."""

MOST_LOOKED_AT = 100_000
"""How many turns are looked at, the newest: so this takes no longer, however many there are."""

MOST_TURNS = 3000
"""How many of them count."""

MOST_GROUPS = 100

metadata = MetaData()
_dismissed = Table(
    "dismissed",
    metadata,
    # No words: those of a visitor who is forgotten would stay.
    Column("words_sha256", String(64), primary_key=True),
    Column("dismissed_at", Float, nullable=False),
)

_TURNS = """
WITH newest AS (
    SELECT {place} AS place, said_at, visitor, confidence FROM turn
    WHERE confidence < 1 AND kind = :kind AND said_at >= :since ORDER BY said_at DESC LIMIT :most_looked_at
), own AS (
    SELECT place, said_at, confidence, row_number() OVER (PARTITION BY visitor ORDER BY said_at DESC) AS newness
    FROM newest
)
SELECT turn.* FROM (SELECT * FROM own WHERE newness <= :most_of_one ORDER BY {order} LIMIT :most_turns) AS own
JOIN turn ON turn.{place} = own.place
"""
_NEWEST, _LEAST_SURE = "said_at DESC", "confidence"
_PLACES = {"sqlite": "rowid", "postgresql": "ctid"}


class Question(NamedTuple):
    """What several visitors asked in the same words: the newest turn of those, or the least sure one, and how many.

    `id` stands for the words; `asked_at` is when it was asked last, in seconds since 1970.
    """

    id: str
    turn: Turn
    visitors: int
    times: int
    asked_at: float


class Questions:
    """The questions of all visitors. Threads may share it."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer
        self._place = _PLACES[engine.dialect.name]

    def unanswered(self, answered: Collection[str] = ()) -> list[Question]:
        """What Diego did not know, by how many visitors asked it; without the prompts that are answered now."""
        questions = self._questions(_NEWEST, "unknown", answered)
        return sorted(questions, key=lambda one: (-one.visitors, -one.times, -one.asked_at))[:MOST_GROUPS]

    def doubtful(self, answered: Collection[str] = ()) -> list[Question]:
        """What Diego replied although he was not sure, the least sure first; without the prompts as above."""
        questions = self._questions(_LEAST_SURE, "known", answered)
        return sorted(questions, key=lambda one: (one.turn.confidence, -one.visitors))[:MOST_GROUPS]

    def dismiss(self, prompt: str) -> None:
        """Show no question of the same words any more."""
        row = {"words_sha256": _digest(_same_words(prompt, _stemmer())), "dismissed_at": time.time()}

        def write() -> None:
            with self._engine.begin() as connection:
                connection.execute(insert(connection, _dismissed).on_conflict_do_nothing(), row)

        self._writer.run(write)

    def _questions(self, order: str, kind: str, answered: Collection[str]) -> Iterator[Question]:
        values = {
            "kind": kind,
            "since": time.time() - DAYS * 24 * 3600,
            "most_looked_at": MOST_LOOKED_AT,
            "most_of_one": MOST_OF_ONE,
            "most_turns": MOST_TURNS,
        }
        with self._engine.connect() as connection:
            rows = connection.execute(text(_TURNS.format(order=order, place=self._place)), values).all()
            dismissed = set(connection.scalars(select(_dismissed.c.words_sha256)))
        stem = _stemmer()
        done = {_same_words(prompt, stem) for prompt in answered}
        groups: dict[str, list[Turn]] = {}
        for row in rows:
            turn = Turn._make(row)
            groups.setdefault(_same_words(turn.prompt, stem), []).append(turn)
        for words, turns in groups.items():
            digest = _digest(words)
            if words not in done and digest not in dismissed:
                visitors = {turn.visitor for turn in turns}
                yield Question(digest, turns[0], len(visitors), len(turns), max(turn.said_at for turn in turns))


def _same_words(prompt: str, stem: Callable[[list[str]], list[str]]) -> str:
    """What prompts have in common that the engine finds alike: the stems of their words, whatever their order."""
    return " ".join(sorted({*stem(terms(key(prompt)))}))


def _stemmer() -> Callable[[list[str]], list[str]]:
    """One for each thread that asks: they cannot be shared."""
    stem: Callable[[list[str]], list[str]] = Stemmer.Stemmer("english").stemWords
    return stem


def _digest(words: str) -> str:
    return sha256(words.encode()).hexdigest()
