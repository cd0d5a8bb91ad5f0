"""PostgreSQL: how it is reached, who may write to a table, and what is said when it cannot be used."""

from collections.abc import Sequence
from typing import Any

from psycopg import Error, InterfaceError, OperationalError
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, ReadOnlySqlTransaction, UndefinedColumn
from sqlalchemy import Column, Connection, Engine, Select, String, Table, create_engine, func, select, text
from sqlalchemy.dialects import postgresql as dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

CONNECT_SECONDS = 5
LOCK_SECONDS = 5.0
"""How long to wait for others who write."""

MOST_CONNECTIONS = 20
"""Of each process; PostgreSQL takes 100 by default."""

_LOCK = 0x44696567
"""What other programs that use the database are not likely to lock."""


def make_engine(url: str) -> Engine:
    """An engine for a database, which is reached when something is first asked."""
    return create_engine(
        url,
        hide_parameters=True,  # as in `chatbot.bot.sqlite`
        pool_size=5,
        max_overflow=MOST_CONNECTIONS - 5,
        pool_timeout=LOCK_SECONDS,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "diego",
            "options": f"-c lock_timeout={1000 * LOCK_SECONDS:.0f}",
        },
    )


def problem(url: str) -> str | None:
    """A sentence that says why a database cannot be used, None if it can."""
    try:
        _ask(url, select(1))
    except DBAPIError as error:
        return sentence(make_url(url).render_as_string(), error.orig or error)
    return None


def size(url: str) -> int:
    """How large the database is, in bytes; 0 if it cannot be reached."""
    try:
        return _ask(url, select(func.pg_database_size(func.current_database())))
    except DBAPIError:
        return 0


def _ask(url: str, query: Select[tuple[int]]) -> int:
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            return connection.scalar(query) or 0
    finally:
        engine.dispose()


def is_unavailable(error: BaseException) -> bool:
    """Whether an error says that the server is out of reach, stopping, full or read-only, or a table locked."""
    return isinstance(error, OperationalError | InterfaceError | ReadOnlySqlTransaction)


def is_damaged(_error: BaseException) -> bool:
    """Whether an error says that the database is damaged; PostgreSQL's own log does."""
    return False


def sentence(name: str, error: BaseException) -> str:
    """What is wrong, and what to do."""
    reason = _reason(error)
    if isinstance(error, LockNotAvailable):
        return f"The database {name} is locked by another program. Stop that program, then start again."
    if isinstance(error, UndefinedColumn):
        return (
            f"The database {name} has tables of another program or version: {reason}. Name another one with "
            "DIEGO_DATABASE_URL."
        )
    if isinstance(error, InsufficientPrivilege):
        return f"The user of the database {name} may not do what Diego needs: {reason}. Make the user its owner."
    if isinstance(error, OperationalError):
        return (
            f"The database {name} cannot be reached: {reason}. See that PostgreSQL runs there, that the database and "
            "its user exist, and that DIEGO_DATABASE_URL is right."
        )
    return f"The database {name} cannot be used: {reason}. Name another one with DIEGO_DATABASE_URL."


def insert(table: Table) -> dialect.Insert:
    """An INSERT that may say what to do `on_conflict_…`."""
    return dialect.insert(table)


def insert_many(connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows: by one statement, as what is to be done after each statement takes longer each time."""
    names = ", ".join(map(connection.dialect.identifier_preparer.format_column, columns))
    arrays = ", ".join(f"%s::{_type(column, connection)}[]" for column in columns)
    table = connection.dialect.identifier_preparer.format_table(columns[0].table)
    statement = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 - no text of others
    connection.exec_driver_sql(statement, tuple([*values] for values in zip(*rows, strict=True)))


def _type(column: Column[Any], connection: Connection) -> str:
    # Text without its length: what is longer would be cut off.
    return "text" if isinstance(column.type, String) else column.type.compile(connection.dialect)


def alone(connection: Connection, *tables: Table) -> None:
    """Let nobody else write to these tables, or come so far with none, until the transaction ends."""
    if not tables:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        return
    names = ", ".join(connection.dialect.identifier_preparer.format_table(table) for table in tables)
    connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))


def _reason(error: BaseException) -> str:
    """What the server says, in one line and without the values of a row."""
    said = error.diag.message_primary if isinstance(error, Error) else None
    return (said or str(error)).strip().partition("\n")[0]
