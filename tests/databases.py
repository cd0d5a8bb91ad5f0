"""The databases of the tests: files of SQLite's, or those of a PostgreSQL if TEST_DATABASE says so.

Several workers (TEST_WORKERS) have a PostgreSQL, too.
"""

import atexit
import os
from contextlib import ExitStack
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine

from tests.postgresql import PostgreSQL, postgresql
from tests.scale import IS_SCALED

ON_POSTGRESQL = IS_SCALED or os.environ.get("TEST_DATABASE") == "postgresql"

only_sqlite = pytest.mark.skipif(ON_POSTGRESQL, reason="it is about SQLite's files")


def url_in(folder: Path | str, name: str = "diego.db") -> str:
    """The database of that name that belongs to a folder; what is kept of visitors is in PostgreSQL in the same."""
    path = Path(folder, name)
    if not ON_POSTGRESQL:
        return f"sqlite:///{path}"
    return _made(f"{path.resolve()}".removesuffix(".visitors"))


# What breaks the table of turns, and what mends it.
CANNOT_BE_WRITTEN = (
    (
        """
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
        CREATE TRIGGER no_room BEFORE INSERT ON turn EXECUTE FUNCTION fail()
        """,
        "DROP TRIGGER no_room ON turn; DROP FUNCTION fail()",
    )
    if ON_POSTGRESQL
    else (
        "CREATE TRIGGER no_room BEFORE INSERT ON turn BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
        "DROP TRIGGER no_room",
    )
)
CANNOT_BE_READ = "ALTER TABLE turn RENAME TO hidden", "ALTER TABLE hidden RENAME TO turn"


def change(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Carry out a statement in the database of visitors that belongs to a folder; the rows that it gives."""
    return execute(url_in(folder, "diego.db.visitors"), statement)


@cache
def _made(path: str) -> str:
    return _server().make(f"diego_{sha256(path.encode()).hexdigest()[:16]}")


@cache
def _server() -> PostgreSQL:
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(postgresql())


def dumped(url: str) -> bytes:
    """All that is in a database of PostgreSQL's."""
    return _server().dump(url)


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Carry out statements as another program; the rows that the last one gives."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        *_, result = [connection.exec_driver_sql(statement) for statement in statements]
        return [tuple(row) for row in result] if result.returns_rows else []
