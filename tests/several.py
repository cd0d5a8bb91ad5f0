"""Several real servers that are one Diego, by a PostgreSQL and a Redis of the tests' own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from tests.postgresql import PostgreSQL
from tests.processes import Server
from tests.redis import Redis
from tests.small import serving_small

_numbers = count()


@contextmanager
def several(number: int, folder: Path, database: PostgreSQL, redis: Redis, **settings: str) -> Iterator[list[Server]]:
    """So many servers that share one database and one Redis."""
    with ExitStack() as stack:
        urls = shared_urls(database, redis)
        servers = []
        for name in range(number):
            own = folder / f"{name}"
            own.mkdir()
            servers.append(stack.enter_context(serving_small(own, 0, **urls, **settings)))
        yield servers


def shared_urls(database: PostgreSQL, redis: Redis) -> dict[str, str]:
    """Settings by which servers share what is new in both."""
    unique = next(_numbers)
    return {"DIEGO_DATABASE_URL": database.make(f"shared_{unique}"), "DIEGO_REDIS_URL": redis.url(unique)}
