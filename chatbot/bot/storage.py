"""ChatterBot's SQL storage, where the knowledge lives, and beside it where each statement came from."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chatterbot.ext.sqlalchemy_app.models import Base, Statement, Tag, tag_association_table
from chatterbot.storage import SQLStorageAdapter, StorageAdapter
from sqlalchemy import (
    DDL,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import scoped_session, sessionmaker

from chatbot import SetupError
from chatbot.bot.corpora import Corpus
from chatbot.bot.words import key

_BATCH = 1000
_LOCK_SECONDS = 5.0

_metadata = MetaData()
_source = Table(
    "source",
    _metadata,
    Column("name", String, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("statements", Integer, nullable=False),
)
_origin = Table(
    "origin",
    _metadata,
    Column("statement_id", Integer, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("line", Integer, nullable=False),
)


# Whoever deletes a statement: its number may be given to another, which is not ours.
event.listen(
    _origin,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "CREATE TRIGGER forget_origin AFTER DELETE ON statement "
        "BEGIN DELETE FROM origin WHERE statement_id = OLD.id; END"
    ),
)


class StorageError(SetupError):
    """The database cannot be used; the message names its file and the way out."""


class KnowledgeStorage(SQLStorageAdapter):
    """ChatterBot's storage in one SQLite file. Rows that others put into it are kept and count as knowledge.

    Raises StorageError if the file is damaged, locked or out of reach.
    """

    def __init__(self, **kwargs: Any) -> None:
        # Not SQLStorageAdapter's own: it hangs its pragmas on every SQLAlchemy engine of the process.
        StorageAdapter.__init__(self, **kwargs)
        self.database_uri: str = kwargs["database_uri"]
        self.path = Path(make_url(self.database_uri).database or "")
        _check_file(self.path)
        self.engine = create_engine(self.database_uri, connect_args={"timeout": _LOCK_SECONDS})
        event.listen(self.engine, "connect", _set_pragmas)
        self.Session = scoped_session(sessionmaker(bind=self.engine))
        with self._errors_as_sentences():
            Base.metadata.create_all(self.engine)
            _metadata.create_all(self.engine)

    def trained_sources(self) -> dict[str, str]:
        """The SHA-256 of each source of which all statements are still there, by its name."""
        there = select(func.count()).where(_origin.c.source == _source.c.name).scalar_subquery()
        with self._errors_as_sentences(), self.engine.connect() as connection:
            return {
                row.name: row.sha256 for row in connection.execute(select(_source).where(_source.c.statements == there))
            }

    def replace_knowledge(self, corpora: Iterable[tuple[Corpus, str]], advance: Callable[[int], object]) -> None:
        """Put corpora, each with the hash of its source, in the place of what was trained before, in one transaction.

        `advance` is told of every batch how many statements it had.
        """
        with self._errors_as_sentences(), self.engine.begin() as connection:
            _delete_trained(connection)
            for corpus, sha256 in corpora:
                _insert(connection, corpus, advance)
                source = {"name": corpus.source.name, "sha256": sha256, "statements": len(corpus.lines)}
                connection.execute(_source.insert(), source)

    def pairs(self) -> list[tuple[str, str]]:
        """Every prompt with a reply to it; a prompt stands there once for each reply."""
        known = select(Statement.in_response_to, Statement.text).where(
            Statement.in_response_to != "", ~Statement.persona.startswith("bot:")
        )
        with self._errors_as_sentences(), self.engine.connect() as connection:
            return [(prompt, reply) for prompt, reply in connection.execute(known.order_by(Statement.id))]

    @contextmanager
    def _errors_as_sentences(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise _sentence(self.path, getattr(error, "orig", None) or error) from error


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _check_file(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=_LOCK_SECONDS)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise _sentence(path, error) from None
    if verdict != "ok":
        raise _sentence(path, sqlite3.DatabaseError(verdict))


def _sentence(path: Path, error: BaseException) -> StorageError:
    if "locked" in str(error):
        return StorageError(f"The database {path} is locked by another program. Stop that program, then start again.")
    if "no such column" in str(error) or "has no column" in str(error):
        return StorageError(
            f"The database {path} has tables of another program or version: {error}. Name another file with "
            "DIEGO_DATABASE_URL."
        )
    if isinstance(error, sqlite3.OperationalError):
        return StorageError(
            f"The database {path} cannot be used: {error}. See that its folder exists and that it may be written, "
            "or name another file with DIEGO_DATABASE_URL."
        )
    return StorageError(
        f"The database {path} is damaged or is no SQLite database: {error}. Move it away and start again, Diego then "
        "makes a new one; or name another file with DIEGO_DATABASE_URL."
    )


def _delete_trained(connection: Connection) -> None:
    trained = select(_origin.c.statement_id)
    connection.execute(delete(tag_association_table).where(tag_association_table.c.statement_id.in_(trained)))
    connection.execute(delete(Statement).where(Statement.id.in_(trained)))
    connection.execute(delete(_origin))
    connection.execute(delete(_source))


def _insert(connection: Connection, corpus: Corpus, advance: Callable[[int], object]) -> None:
    first = (connection.scalar(select(func.max(Statement.id))) or 0) + 1
    now = datetime.now(UTC)
    statements = [
        {
            "id": number,
            "text": line.text,
            "search_text": key(line.text),
            "conversation": "training",
            "created_at": now,
            "in_response_to": line.reply_to,
            "search_in_response_to": key(line.reply_to or ""),
            "persona": "",
        }
        for number, line in enumerate(corpus.lines, first)
    ]
    origins = [
        {"statement_id": number, "source": corpus.source.name, "line": line.number}
        for number, line in enumerate(corpus.lines, first)
    ]
    tags = [
        {"statement_id": statement["id"], "tag_id": tag}
        for tag in (_tag(connection, category) for category in corpus.categories)
        for statement in statements
    ]
    _write(connection, tag_association_table, tags)
    _write(connection, _origin, origins)
    _write(connection, Statement.__table__, statements, advance)


def _write(
    connection: Connection, table: Table, rows: list[dict[str, Any]], advance: Callable[[int], object] = lambda _: None
) -> None:
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        connection.execute(table.insert(), batch)
        advance(len(batch))


def _tag(connection: Connection, name: str) -> int:
    known: int | None = connection.scalar(select(Tag.id).where(Tag.name == name))
    if known is not None:
        return known
    inserted = connection.execute(Tag.__table__.insert(), {"name": name}).inserted_primary_key
    assert inserted is not None, "one row was inserted"
    return int(inserted[0])
