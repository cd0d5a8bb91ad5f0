"""Ten thousand connections on one process: what each costs in memory, and how long replies take among them.

The server has one core to itself and the clients have the other. Prints a table in Markdown; the status is 1 if what is
wanted is not reached.
"""

import asyncio
import sys
import tempfile
import time
from collections import deque
from typing import NamedTuple

import numpy as np
import psutil
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from benchmarks.load import connect
from benchmarks.messages import messages
from benchmarks.servers import diego, read_arguments
from benchmarks.tables import milliseconds, table

CONNECTIONS = 10_000
PER_SECOND = 1_000
SECONDS = 30.0
CONNECTING = 100
"""How many connect at once."""

PATIENCE_SECONDS = 60.0
WANTED_P99_MS = 50.0
WANTED_KB = 35.0


class Answers:
    """How long replies took, in s, and whether all are there."""

    def __init__(self, expected: int) -> None:
        self.seconds: list[float] = []
        self.complete = asyncio.Event()
        self._expected = expected

    def note(self, seconds: float) -> None:
        """Note one."""
        self.seconds.append(seconds)
        if len(self.seconds) == self._expected:
            self.complete.set()


class Client(WSListener):
    """Who says something now and then, and is silent otherwise."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self.transport: WSTransport | None = None
        self._due: deque[float] = deque()
        self._answers = answers

    def say(self, text: str, due: float) -> None:
        """Say something; its reply is timed from when it was due, so that a load that lags hides nothing."""
        assert self.transport is not None, "it is connected"
        self._due.append(due)
        self.transport.send(WSMsgType.TEXT, text.encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002 - picows' signature
        """Note how long a reply took."""
        if frame.msg_type == WSMsgType.TEXT:
            self._answers.note(time.perf_counter() - self._due.popleft())


class Measured(NamedTuple):
    """Handshakes per second, kB for each connection when all are there and at the end, the times of replies."""

    per_second: float
    kb: float
    kb_at_end: float
    seconds: list[float]


async def join(clients: list[Client], url: str) -> None:
    """Connect everybody."""
    begin = asyncio.Semaphore(CONNECTING)

    async def one(client: Client) -> None:
        async with begin:
            client.transport = await connect(url, client)
        assert client.transport is not None, "the server takes connections"

    await asyncio.gather(*map(one, clients))


async def converse(clients: list[Client], said: list[str], answers: Answers) -> None:
    """Have one after the other say something, so often, until all have their replies."""
    begun = time.perf_counter()
    for number, text in enumerate(said):
        due = begun + number / PER_SECOND
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        clients[number % len(clients)].say(text, due)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await answers.complete.wait()


async def measure(server: psutil.Process, url: str, size: int, duration: float) -> Measured:
    """What so many connections cost."""
    said = messages(int(PER_SECOND * duration))
    answers = Answers(len(said))
    clients = [Client(answers) for _ in range(size)]
    before = server.memory_info().rss
    begun = time.perf_counter()
    await join(clients, url)
    joined = time.perf_counter() - begun
    connected = server.memory_info().rss
    await converse(clients, said, answers)
    at_end = server.memory_info().rss
    return Measured(size / joined, _kb(connected - before, size), _kb(at_end - before, size), answers.seconds)


def _kb(size: int, connections: int) -> float:
    return size / connections / 1000


def main() -> None:
    """Measure, and print the table."""
    arguments = read_arguments(__doc__, CONNECTIONS, SECONDS)
    with tempfile.TemporaryDirectory() as folder, diego(folder) as (server, address):
        url = f"ws://{address}/conversation"
        measured = asyncio.run(measure(server, url, arguments.connections, arguments.seconds))
    times = milliseconds(measured.seconds)
    row = [
        f"{arguments.connections:,}",
        f"{measured.per_second:,.0f}",
        f"{measured.kb:.1f}",
        f"{measured.kb_at_end:.1f}",
    ]
    header = ("connections", "handshakes/s", "kB each", "kB each at the end", "messages", "p50 ms", "p99 ms", "max ms")
    print(table(header, [[*row, f"{len(measured.seconds):,}", *times]], texts=0))
    sys.exit(1000 * float(np.quantile(measured.seconds, 0.99)) > WANTED_P99_MS or measured.kb_at_end > WANTED_KB)


if __name__ == "__main__":
    main()
