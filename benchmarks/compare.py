"""Side by side in one go: the chatbot as tutorials write it, Diego, and an echo in his place. `make bench` runs it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
PORT = 8765
SERVERS = {
    "tutorial": ["-m", "benchmarks.tutorial", str(PORT)],
    "Diego": [str(ROOT / "app.py"), "--port", str(PORT), "--log-level", "error"],
    "echo": ["-m", "benchmarks.echo", "--port", str(PORT), "--log-level", "error"],
}
CLIENTS = (1, 50, 100, 1000)
SECONDS = 10.0
START_SECONDS = 120.0
SERVER_CORE, LOAD_CORE = 0, 1

Row = dict[str, float | None]


@contextmanager
def serving(command: list[str]) -> Iterator[None]:
    """A server on its own core and in a folder of its own, from when it takes connections."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            ["taskset", "-c", str(SERVER_CORE), sys.executable, *command],  # noqa: S607 - from PATH
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_port(process)
            yield
        finally:
            process.kill()
            process.wait()


def wait_for_port(process: subprocess.Popen[bytes]) -> None:
    """Return when something listens; raises RuntimeError if the server ends or takes too long."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{process.args!r} did not start.")


def load(clients: int) -> Row:
    """What that many clients measured."""
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "benchmarks.load"]
    arguments = [f"ws://127.0.0.1:{PORT}/conversation", "--clients", str(clients), "--seconds", str(SECONDS)]
    printed = subprocess.run([*command, *arguments], cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603
    row: Row = json.loads(printed)
    return row


def table(rows: dict[tuple[int, str], Row]) -> str:
    """In Markdown, with each server's replies as a multiple of the tutorial's."""
    lines = [
        "| clients | server | connected | replies/s | ratio | p50 ms | p99 ms | max ms | ping p50 | ping p99 |",
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for (clients, server), row in rows.items():
        replies, tutorials = row["replies_per_second"] or 0, rows[clients, "tutorial"]["replies_per_second"]
        ratio = f"{replies / tutorials:,.0f}" if tutorials else "-"
        times = [row[name] for name in ("p50", "p99", "max", "ping_p50", "ping_p99")]
        cells = ["-" if cell is None else f"{cell:,.1f}" for cell in times]
        first = [f"{clients:,}", server, f"{row['connected']:,}", f"{replies:,.0f}", ratio]
        lines.append(f"| {' | '.join(first + cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure everything, and print the table."""
    rows: dict[tuple[int, str], Row] = {}
    for clients in CLIENTS:
        for server, command in SERVERS.items():
            print(f"{clients:,} clients, {server} …", file=sys.stderr)
            with serving(command):
                rows[clients, server] = load(clients)
    print(table(rows))


if __name__ == "__main__":
    main()
