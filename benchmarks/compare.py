"""Side by side in one go: the chatbot as tutorials write it, Diego, and an echo in his place. `make bench` runs it.

Each server has one core to itself and the clients have the other. Prints two tables in Markdown.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from websockets.sync.client import connect

from benchmarks.load import UNLIMITED

ROOT = Path(__file__).parent.parent
PORT = 8765
URL = f"ws://127.0.0.1:{PORT}/conversation"
SERVERS = {
    "tutorial": ["-m", "benchmarks.tutorial", str(PORT)],
    "Diego": [str(ROOT / "app.py"), "--port", str(PORT), "--log-level", "error"],
    "echo": ["-m", "benchmarks.echo", "--port", str(PORT), "--log-level", "error"],
}
ENGLISH = {"DIEGO_CORPORA": "chatterbot.corpus.english"}
"""So that Diego knows what the tutorial knows; when starts are measured he has his default settings."""

CLIENTS = (1, 100, 1000)
SECONDS = 10.0
START_SECONDS = 120.0
SERVER_CORE, LOAD_CORE = 0, 1

Row = dict[str, float | None]


@contextmanager
def serving(command: list[str], folder: str, settings: dict[str, str]) -> Iterator[float]:
    """A server in a folder, from its first reply on; how long that took, in s."""
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S603 - our own commands
        ["taskset", "-c", str(SERVER_CORE), sys.executable, *command],  # noqa: S607 - from PATH
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **UNLIMITED, **settings},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_reply(process)
        yield time.monotonic() - started
    finally:
        process.kill()
        process.wait()


def wait_for_reply(process: subprocess.Popen[bytes], url: str = URL) -> None:
    """Return as soon as the server has replied; raises RuntimeError if it ends or takes too long."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with connect(url, open_timeout=START_SECONDS) as client:
                client.send("Hello")
                client.recv(timeout=START_SECONDS)
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"{process.args!r} did not reply.")


def load(clients: int) -> Row:
    """What that many clients measured."""
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "benchmarks.load"]
    arguments = [URL, "--clients", str(clients), "--seconds", str(SECONDS)]
    printed = subprocess.run([*command, *arguments], cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603
    row: Row = json.loads(printed)
    return row


def statements(folder: str) -> int:
    """How many statements the database in the folder has."""
    (file,) = [path for path in Path(folder).iterdir() if path.suffix in (".db", ".sqlite3")]
    with closing(sqlite3.connect(file)) as database:
        return int(database.execute("SELECT count(*) FROM statement").fetchone()[0])


def starts() -> str:
    """From the start of the process to its first reply, twice in the same folder."""
    lines = ["| server | start | first reply after s | statements |", "|---|---|--:|--:|"]
    for server in ("tutorial", "Diego"):
        with tempfile.TemporaryDirectory() as folder:
            for start in ("first", "second"):
                print(f"{start} start, {server} …", file=sys.stderr)
                with serving(SERVERS[server], folder, {}) as seconds:
                    lines.append(f"| {server} | {start} | {seconds:.2f} | {statements(folder):,} |")
    return "\n".join(lines)


def chats() -> str:
    """Clients that say the next thing as soon as they have a reply; each server's replies beside the tutorial's."""
    lines = [
        "| clients | server | connected | replies/s | ratio | p50 ms | p99 ms | max ms | ping p50 ms | ping p99 ms |",
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for clients in CLIENTS:
        baseline = 0.0
        for server, command in SERVERS.items():
            print(f"{clients:,} clients, {server} …", file=sys.stderr)
            with tempfile.TemporaryDirectory() as folder, serving(command, folder, ENGLISH):
                row = load(clients)
            replies = row["replies_per_second"] or 0
            baseline = baseline or replies
            cells = [f"{clients:,}", server, f"{row['connected']:,}", f"{replies:,.0f}", f"{replies / baseline:,.0f}"]
            times = [row[name] for name in ("p50", "p99", "max", "ping_p50", "ping_p99")]
            cells += ["-" if milliseconds is None else f"{milliseconds:,.1f}" for milliseconds in times]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure everything, and print the tables."""
    print(starts(), chats(), sep="\n\n")


if __name__ == "__main__":
    main()
