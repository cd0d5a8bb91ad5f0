"""What several processes of one machine cost: replies per second of the processor, and memory with a million pairs.

`python -m benchmarks.scale` starts a PostgreSQL and a Redis of its own (Debian's packages), and one Diego after the
other with so many workers. Linux only. Prints two tables in Markdown; the status is 1 if several cost too much.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.compare import ENGLISH, ROOT, wait_for_reply
from benchmarks.growth import write_data
from benchmarks.kill import free_port
from benchmarks.load import UNLIMITED
from benchmarks.tables import table
from tests.postgresql import PostgreSQL, postgresql
from tests.redis import Redis, redis

CLIENTS = 100
SECONDS = 10.0
WARM_SECONDS = 3.0
ROUNDS = 5
PAIRS = 1_000_000
MOST_WORKERS = 4

WANTED_SHARE = 0.9
"""Of what one process replies in a second of the processor, two workers are to reply so much."""

WANTED_MEMORY = 2.0
"""Four workers may have so many times the memory of one process."""


class Cost(NamedTuple):
    """What a load cost: replies per second, and per second of the processor that Diego, PostgreSQL and Redis used."""

    per_second: float
    diego: float
    postgresql: float
    redis: float


@contextmanager
def serving(folder: Path, number: int, settings: dict[str, str]) -> Iterator[tuple[psutil.Process, str]]:
    """A Diego with so many workers who has replied, and its URL."""
    port = free_port()
    url = f"ws://127.0.0.1:{port}/conversation"
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, str(ROOT / "app.py"), "--port", str(port), "--workers", str(number)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DIEGO_LOG_LEVEL": "error", **UNLIMITED, **settings},
    )
    try:
        wait_for_reply(process, url)
        yield psutil.Process(process.pid), url
    finally:
        process.terminate()
        process.wait()


def load(url: str, seconds: float) -> float:
    """Have clients chat for so long; replies per second."""
    command = [sys.executable, "-m", "benchmarks.load", url, "--clients", str(CLIENTS), "--seconds", str(seconds)]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603
    return float(json.loads(printed)["replies_per_second"])


def with_children(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that it has started."""
    return [process, *process.children(recursive=True)]


def used(process: psutil.Process) -> float:
    """How many seconds of the processor a process and its children have used; those that have ended, too."""
    total = 0.0
    for one in with_children(process):
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def cost(server: psutil.Process, url: str, engines: Iterable[psutil.Process]) -> Cost:
    """What a load costs."""
    load(url, WARM_SECONDS)
    everybody = [server, *engines]
    before = [used(process) for process in everybody]
    per_second = load(url, SECONDS)
    spent = [used(process) - was for process, was in zip(everybody, before, strict=True)]
    return Cost(per_second, *(per_second * SECONDS / max(seconds, 0.01) for seconds in spent))


def memory(process: psutil.Process) -> float:
    """What a process and its children have in memory, in MB; what they share counts once."""
    rollups = (Path(f"/proc/{one.pid}/smaps_rollup").read_text() for one in with_children(process))
    return sum(int(re.findall(r"(?m)^Pss: +(\d+) kB", rollup)[0]) for rollup in rollups) / 1000


def settings_of(database: PostgreSQL, shared: Redis, name: str) -> dict[str, str]:
    """What a Diego is told who has a new database."""
    return {"DIEGO_DATABASE_URL": database.make(name), "DIEGO_REDIS_URL": shared.url()}


def costs(folder: Path, database: PostgreSQL, shared: Redis, rounds: int) -> dict[int, Cost]:
    """The medians for one process and for two workers, which were measured in turn."""
    settings = {**settings_of(database, shared, "costs"), **ENGLISH}
    engines = [psutil.Process(engine.pid) for engine in (database, shared)]
    found: dict[int, list[Cost]] = {1: [], 2: []}
    for _ in range(rounds):
        for number, measured in found.items():
            with serving(folder, number, settings) as (server, url):
                measured.append(cost(server, url, engines))
    return {number: Cost(*map(statistics.median, zip(*each, strict=True))) for number, each in found.items()}


def memories(folder: Path, database: PostgreSQL, shared: Redis, pairs: int) -> dict[int, float]:
    """What one process and several workers have in memory who have been asked much, in MB."""
    write_data(folder, pairs)
    settings = {**settings_of(database, shared, "memories"), "DIEGO_CORPORA": str(folder / "pairs.csv")}
    train = [sys.executable, "-m", "chatbot", "train", str(folder / "pairs.csv")]
    subprocess.run(  # noqa: S603 - our own command
        train, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **settings}, check=True, capture_output=True
    )
    found = {}
    for number in (1, MOST_WORKERS):
        with serving(folder, number, settings) as (server, url):
            load(url, SECONDS)
            found[number] = memory(server)
    return found


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgresql() as database, redis() as shared:
        by_workers = costs(Path(folder), database, shared, arguments.rounds)
        header = (
            "workers",
            "replies/s",
            *(f"per CPU-s of {name}" for name in ("Diego", "PostgreSQL", "Redis")),
            "ratio",
        )
        share = by_workers[2].diego / by_workers[1].diego
        shares = {1: 1.0, 2: share}
        rows = [
            [str(number), *(f"{figure:,.0f}" for figure in one), f"{shares[number]:.2f}"]
            for number, one in by_workers.items()
        ]
        print(table(header, rows, texts=0), end="\n\n", flush=True)
        megabytes = memories(Path(folder), database, shared, arguments.pairs)
        ratio = megabytes[MOST_WORKERS] / megabytes[1]
        rows = [[str(number), f"{found:,.0f}", f"{found / megabytes[1]:.2f}"] for number, found in megabytes.items()]
        print(table(("workers", f"MB with {arguments.pairs:,} pairs", "ratio"), rows, texts=0))
    sys.exit(share < WANTED_SHARE or ratio > WANTED_MEMORY)


if __name__ == "__main__":
    main()
