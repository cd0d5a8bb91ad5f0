"""The databases of the tests: files of SQLite's, or those of a PostgreSQL if TEST_DATABASE says so."""

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

ON_POSTGRESQL = os.environ.get("TEST_DATABASE") == "postgresql"

only_sqlite = pytest.mark.skipif(ON_POSTGRESQL, reason="it is about SQLite's files")


def url_in(folder: Path | str, name: str = "diego.db") -> str:
    """The database of that name that belongs to a folder; what is kept of visitors is in PostgreSQL in the same."""
    path = Path(folder, name)
    if not ON_POSTGRESQL:
        return f"sqlite:///{path}"
    return _made(f"{path.resolve()}".removesuffix(".visitors"))


@cache
def _made(path: str) -> str:
    return _server().make(f"diego_{sha256(path.encode()).hexdigest()[:16]}")


@cache
def _server() -> PostgreSQL:
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(postgresql())


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Carry out statements as another program; the rows that the last one gives."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        *_, result = [connection.exec_driver_sql(statement) for statement in statements]
        return [tuple(row) for row in result] if result.returns_rows else []
