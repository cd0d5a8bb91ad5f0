"""A Diego on a core of its own and on a free port, for measurements that look at his process."""

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from benchmarks.compare import ENGLISH, LOAD_CORE, ROOT, SERVER_CORE, wait_for_reply
from benchmarks.kill import free_port
from benchmarks.load import UNLIMITED

SPARE_FILES = 500


@contextmanager
def diego(folder: str) -> Iterator[tuple[psutil.Process, str]]:
    """A server in a folder that has replied, and its address; killed at the end."""
    address = f"127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    process = subprocess.Popen(  # noqa: S603 - our own command
        ["taskset", "-c", str(SERVER_CORE), sys.executable, str(ROOT / "app.py"), "--port", port],  # noqa: S607 - from PATH
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DIEGO_LOG_LEVEL": "error", **UNLIMITED, **ENGLISH},
    )
    try:
        wait_for_reply(process, f"ws://{address}/conversation")
        yield psutil.Process(process.pid), address
    finally:
        process.kill()
        process.wait()


def allow_files(connections: int) -> None:
    """Let this process, and the servers that it starts, have so many connections. Ends it if that is not allowed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if connections + SPARE_FILES > most:
        sys.exit(f"{connections:,} connections need `ulimit -Hn` to be at least {connections + SPARE_FILES:,}.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def read_arguments(description: str | None, connections: int, seconds: float) -> argparse.Namespace:
    """How many connections for how long; this process may then have them, on a core of its own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--connections", type=int, default=connections)
    parser.add_argument("--seconds", type=float, default=seconds)
    arguments = parser.parse_args()
    allow_files(arguments.connections)
    os.sched_setaffinity(0, {LOAD_CORE})
    return arguments
