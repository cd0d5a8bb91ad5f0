"""What a server of the tests is: one process, or several behind an nginx with a Redis, if TEST_WORKERS says so."""

import atexit
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from tests.nginx import SITE, changed, listens, nginx_with
from tests.postgresql import free_port
from tests.redis import Redis, redis

WORKERS = int(os.environ.get("TEST_WORKERS", "1"))
IS_SCALED = WORKERS > 1

only_one_process = pytest.mark.skipif(IS_SCALED, reason="it is about a single process that nothing stands before")

NEW_SECONDS = 3
"""For how long it is not certain who is connected, after a Redis was started (`chatbot/shared/processes.lua`)."""

AWAY = ("Diego is away; please come back in a moment.",) if IS_SCALED else ()
"""What nginx has clients show while nobody is behind it."""

_TLS = SITE[SITE.index("server {\n    listen 80") : SITE.index("    server_tokens")]
_METRICS = SITE[SITE.index("    # For those who run Diego; on") : SITE.index("    location /insights")]
_behind: dict[int, int] = {}
_numbers = count()


def redis_in(folder: Path | str) -> str:
    """The Redis that belongs to a folder."""
    return _redis_of(Path(folder).resolve())


@cache
def _redis_of(folder: Path) -> str:  # noqa: ARG001 - the cache's key
    return _redis().url(next(_numbers))


@cache
def _redis() -> Redis:
    running = ExitStack()
    atexit.register(running.close)
    server = running.enter_context(redis())
    while server.seconds_up() < NEW_SECONDS:
        time.sleep(0.02)
    return server


@contextmanager
def proxied(port: int) -> Iterator[tuple[int, int]]:
    """An nginx at that port, or at a free one if it is 0; its port and the one where Diego is to listen.

    It is the one that is there already when a server is started in the place of another that has stopped.
    """
    if port in _behind:
        yield port, _behind[port]
        return
    port, behind = port or free_port(), free_port()
    site = changed(
        SITE,
        {
            _TLS: f"server {{\n    listen 127.0.0.1:{port};\n",
            _METRICS: "",
            "server 127.0.0.1:8000": f"server 127.0.0.1:{behind}",
        },
    )
    _behind[port] = behind
    with tempfile.TemporaryDirectory() as folder, nginx_with(Path(folder), site) as process:
        while not listens(port):
            assert process.poll() is None, Path(folder, "error.log").read_text()
        yield port, behind
    del _behind[port]
