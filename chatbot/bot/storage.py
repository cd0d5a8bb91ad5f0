"""ChatterBot's SQL storage, where the knowledge lives, and beside it where each statement came from."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count, islice
from typing import Any, NamedTuple

from chatterbot.conversation import Statement as StatementObject
from chatterbot.ext.sqlalchemy_app.models import Statement, Tag, tag_association_table
from chatterbot.storage import SQLStorageAdapter, StorageAdapter
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import scoped_session, sessionmaker

from chatbot.bot.database import alone, errors_as_sentences, insert_many, open_database
from chatbot.bot.formats import Corpus, Line, Pair
from chatbot.bot.schema import bring_up_to_date
from chatbot.bot.words import key

_BATCH = 1000

_metadata = MetaData()
_source = Table(
    "source",
    _metadata,
    Column("name", String, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("statements", Integer, nullable=False),
    Column("place", String, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("trained_at", DateTime, nullable=False),
)
_origin = Table(
    "origin",
    _metadata,
    Column("statement_id", Integer, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("line", Integer, nullable=False),
)
Index("origin_source", _origin.c.source)
_knowledge = Table("knowledge", _metadata, Column("version", BigInteger, nullable=False))

_STATEMENT = [
    Statement.__table__.c[name]
    for name in (
        "id",
        "text",
        "search_text",
        "conversation",
        "created_at",
        "in_response_to",
        "search_in_response_to",
        "persona",
    )
]
_TAKEN = text("SELECT setval(pg_get_serial_sequence('statement', 'id'), greatest(:number, 1))")

# The line before the prompt is what the statement before this one replies to, if that statement is the prompt.
_PAIRS = """
SELECT statement.in_response_to, statement.text, nullif(prompt.in_response_to, ''),
    coalesce(origin.source, ''), coalesce(origin.line, 0), coalesce(source.rank, 0) AS rank
FROM statement
LEFT JOIN origin ON origin.statement_id = statement.id
LEFT JOIN source ON source.name = origin.source
LEFT JOIN origin AS prompt_origin ON prompt_origin.statement_id = statement.id - 1
LEFT JOIN statement AS prompt ON prompt.id = statement.id - 1 AND prompt.text = statement.in_response_to
    AND prompt_origin.source {same} origin.source
WHERE statement.in_response_to != '' AND statement.persona NOT LIKE 'bot:%'
ORDER BY rank, statement.id
"""
_SAME = {"sqlite": "IS", "postgresql": "IS NOT DISTINCT FROM"}
"""Equal, or both NULL."""

_TAUGHT = """
SELECT statement.in_response_to, statement.text, NULL, origin.source, origin.line, source.rank
FROM (SELECT * FROM source WHERE rank = 0 AND statements = 2 ORDER BY trained_at DESC LIMIT :limit) AS source
JOIN origin ON origin.source = source.name
JOIN statement ON statement.id = origin.statement_id
WHERE statement.in_response_to != ''
ORDER BY source.trained_at
"""


class KnownSource(NamedTuple):
    """What was trained. `rank`: 0 by command, else its position in DIEGO_CORPORA; `whole`: no statement is missing."""

    name: str
    place: str
    sha256: str
    statements: int
    rank: int
    trained_at: datetime
    whole: bool


class KnowledgeStorage(SQLStorageAdapter):
    """ChatterBot's storage in one SQLite file. Rows that others put into it are kept and count as knowledge.

    Raises StorageError if the file is damaged, locked or out of reach.
    """

    def __init__(self, **kwargs: Any) -> None:
        # Not SQLStorageAdapter's own: it hangs its pragmas on every SQLAlchemy engine of the process.
        StorageAdapter.__init__(self, **kwargs)
        self.database_uri: str = kwargs["database_uri"]
        self.engine = open_database(self.database_uri)
        self.Session = scoped_session(sessionmaker(bind=self.engine))
        with errors_as_sentences(self.database_uri):
            bring_up_to_date(self.engine, "knowledge")

    def get_statement_object(self) -> Any:
        """ChatterBot's class for statements that are in no database; its own way there takes as long as a lookup."""
        return StatementObject

    def version(self) -> int:
        """A random number that is another after every change of the knowledge, whoever makes it."""
        with errors_as_sentences(self.database_uri), self.engine.connect() as connection:
            return int(connection.scalar(select(_knowledge.c.version)) or 0)

    def sources(self) -> list[KnownSource]:
        """What was trained, in order of rank and name."""
        with errors_as_sentences(self.database_uri), self.engine.connect() as connection:
            return _sources(connection)

    @contextmanager
    def changing(self) -> Iterator["Change"]:
        """A change of the knowledge: all of it or, if it raises, nothing. Others who train meanwhile are kept out."""
        with errors_as_sentences(self.database_uri), self.engine.begin() as connection:
            alone(connection, Statement.__table__, _source)
            yield Change(connection)

    def pairs(self) -> Iterator[Pair]:
        """Every prompt with a reply to it, in order of rank and age; a prompt stands there once for each reply."""
        with errors_as_sentences(self.database_uri), self.engine.connect() as connection:
            query = _PAIRS.format(same=_SAME[connection.dialect.name])
            if connection.dialect.name == "sqlite":
                rows = connection.connection.cursor().execute(query)  # several times as fast as through SQLAlchemy
            else:
                rows = connection.execution_options(yield_per=_BATCH).execute(text(query))
            yield from map(Pair._make, rows)

    def taught(self, limit: int) -> list[Pair]:
        """The last pairs that are a source each, approved lessons and an operator's answers; the newest comes last."""
        with errors_as_sentences(self.database_uri), self.engine.connect() as connection:
            return [Pair._make(row) for row in connection.execute(text(_TAUGHT), {"limit": limit})]


class Change:
    """What can be done to the knowledge in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sources(self) -> list[KnownSource]:
        """What was trained, in order of rank and name."""
        return _sources(self._connection)

    def learn(self, corpus: Corpus, name: str, *, sha256: str, rank: int) -> int:
        """Read a corpus and add it as a source of that name; how many statements it has."""
        statements = _insert(self._connection, corpus.lines, name)
        for category in corpus.categories:
            tagged = select(literal(_tag(self._connection, category)), _origin.c.statement_id).where(
                _origin.c.source == name
            )
            tags = tag_association_table
            self._connection.execute(tags.insert().from_select(["tag_id", "statement_id"], tagged))
        row = {"name": name, "sha256": sha256, "statements": statements, "place": corpus.source.place, "rank": rank}
        self._connection.execute(_source.insert(), row | {"trained_at": datetime.now(UTC).replace(tzinfo=None)})
        return statements

    def forget(self, name: str) -> None:
        """Take away a source and all that came from it."""
        trained = select(_origin.c.statement_id).where(_origin.c.source == name)
        tags = tag_association_table
        self._connection.execute(delete(tags).where(tags.c.statement_id.in_(trained)))
        self._connection.execute(delete(Statement).where(Statement.id.in_(trained)))
        self._connection.execute(delete(_source).where(_source.c.name == name))

    def rank(self, name: str, rank: int) -> None:
        """Give a source another rank."""
        self._connection.execute(update(_source).where(_source.c.name == name).values(rank=rank))


def _sources(connection: Connection) -> list[KnownSource]:
    there = select(func.count()).where(_origin.c.source == _source.c.name).scalar_subquery()
    rows = connection.execute(select(_source, there.label("there")).order_by(_source.c.rank, _source.c.name))
    return [
        KnownSource(
            row.name,
            row.place,
            row.sha256,
            row.statements,
            row.rank,
            row.trained_at.replace(tzinfo=UTC),
            whole=row.there == row.statements,
        )
        for row in rows
    ]


def _insert(connection: Connection, lines: Iterable[Line], source: str) -> int:
    first: int = (connection.scalar(select(func.max(Statement.id))) or 0) + 1
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    search: Callable[[str], str] = lru_cache(2)(key)  # each line comes twice, as a text and as what is replied to
    numbered = zip(count(first), lines)
    following = first
    while batch := list(islice(numbered, _BATCH)):
        statements = [
            (number, line.text, search(line.text), "training", now, line.reply_to, search(line.reply_to or ""), "")
            for number, line in batch
        ]
        insert_many(connection, _STATEMENT, statements)
        insert_many(connection, [*_origin.c], [(number, source, line.number) for number, line in batch])
        following += len(batch)
    if connection.dialect.name == "postgresql":  # whoever adds statements without a number is to get other ones
        connection.execute(_TAKEN, {"number": following - 1})
    return following - first


def _tag(connection: Connection, name: str) -> int:
    known: int | None = connection.scalar(select(Tag.id).where(Tag.name == name))
    if known is not None:
        return known
    inserted = connection.execute(Tag.__table__.insert(), {"name": name}).inserted_primary_key
    assert inserted is not None, "one row was inserted"
    return int(inserted[0])
