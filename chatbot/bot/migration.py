"""All that is kept, from a file into PostgreSQL. It may be interrupted, and then goes on where it was."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Row,
    RowMapping,
    String,
    Table,
    collate,
    func,
    inspect,
    select,
    text,
    tuple_,
)

from chatbot import SetupError
from chatbot.bot.database import alone, database_name, database_path, errors_as_sentences, insert_many, open_database
from chatbot.bot.diary import Diary
from chatbot.bot.storage import KnowledgeStorage
from chatbot.settings import Settings
from chatbot.web.cookies import load_key

AT_ONCE = 5000
"""How many rows are written in one transaction."""

_OWN = {"knowledge", "lesson_version", "restored", "secret"}
"""What each database has its own of, beside the numbers of the last steps."""


class Moved(NamedTuple):
    """A table, and how many rows it has in the one database and in the other."""

    table: str
    rows: int
    there: int


def migrate(source: Settings, target: Settings, note: Callable[[int], object]) -> list[Moved]:
    """Copy what is not there yet, while nobody else writes; `note` is called with how many rows were copied.

    Raises SetupError, also if there is something else in the target.
    """
    if not database_path(source.database_url).exists():
        raise SetupError(f"There is no file {database_name(source.database_url)}, so there is nothing to move.")
    moved: list[Moved] = []
    for settings in (source, target):  # whose tables are brought up to date
        KnowledgeStorage(database_uri=settings.database_url).close()
        with closing(Diary(settings.visitors_url)) as diary:
            if settings is target and source.key_file.exists():
                diary.secret_key(load_key(source.key_file))
    pairs = ((source.database_url, target.database_url), (source.visitors_url, target.visitors_url))
    for source_url, target_url in pairs:
        with (
            _open(source_url) as source_engine,
            _open(target_url) as engine,
            errors_as_sentences(target_url),
            source_engine.connect() as reading,
        ):
            alone(reading)
            tables = MetaData()
            tables.reflect(reading)
            copied = [table for table in tables.sorted_tables if _is_copied(table)]
            _check_target(reading, engine, copied, target_url)
            moved += [_copy(reading, engine, table, note) for table in copied]
    return moved


@contextmanager
def _open(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _is_copied(table: Table) -> bool:
    return table.name not in _OWN and not table.name.endswith("_schema")


def _check_target(reading: Connection, target: Engine, tables: Sequence[Table], url: str) -> None:
    """Raises SetupError if more is there than here."""
    with target.connect() as connection:
        for table in tables:
            if _count(connection, table) > _count(reading, table):
                raise SetupError(
                    f"The database {database_name(url)} has more in its table {table.name} than is to be moved there. "
                    "Name one that is empty, or in which only this was begun."
                )


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _copy(reading: Connection, target: Engine, table: Table, note: Callable[[int], object]) -> Moved:
    keys = [*table.primary_key.columns]
    with target.connect() as writing:
        there = Table(table.name, MetaData(), autoload_with=writing)
        query = select(table).order_by(*keys)
        if last := _last_key(writing, there):
            query = query.where(tuple_(*keys) > tuple_(*last))
        if keys or not _count(writing, there):
            for rows in reading.execute(query, execution_options={"yield_per": AT_ONCE}).mappings().partitions():
                insert_many(writing, [there.c[name] for name in rows[0]], [*map(_storable, rows)])
                note(len(rows))
                if keys:  # by which it goes on when it is interrupted
                    writing.commit()
        _go_on_counting(reading, writing, table)
        writing.commit()
        return Moved(table.name, _count(reading, table), _count(writing, there))


def _last_key(connection: Connection, table: Table) -> Row[Any] | None:
    """That of the last row, in SQLite's order."""
    keys = [*table.primary_key.columns]
    if not keys:
        return None
    in_order = [collate(key, "C") if isinstance(key.type, String) else key for key in keys]
    return connection.execute(select(*keys).order_by(*(key.desc() for key in in_order)).limit(1)).first()


def _storable(row: RowMapping) -> list[Any]:
    """The values of a row without the one character that PostgreSQL does not take."""
    return [value.replace("\0", "") if isinstance(value, str) else value for value in row.values()]


def _go_on_counting(reading: Connection, writing: Connection, table: Table) -> None:
    """Have no number given again that a row had, even one that was erased."""
    for column in table.primary_key.columns:
        sequence = writing.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        if sequence:
            last = reading.scalar(select(func.max(column))) or 0
            if inspect(reading).has_table("sqlite_sequence"):
                given = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
                last = max(last, reading.scalar(given, {"name": table.name}) or 0)
            if last:
                writing.execute(select(func.setval(sequence, last)))
