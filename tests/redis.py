"""A Redis of the tests' own."""

import asyncio
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from chatbot.shared.link import Link
from tests.postgresql import free_port


class Redis:
    """A server in a folder, on a free port, that keeps nothing when it stops."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, number: int = 0) -> str:
        """That of a database."""
        return f"redis://127.0.0.1:{self.port}/{number}"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process, "it was started"
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--databases", "10000")
        with (self._folder / "log.txt").open("ab") as log:
            command = ["redis-server", "--port", str(self.port), "--dir", str(self._folder), *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        while self._ask("PING") != b"PONG\n":
            assert self._process.poll() is None, (self._folder / "log.txt").read_text()
            time.sleep(0.02)

    def seconds_up(self) -> int:
        """For how long it has run."""
        return int(re.findall(rb"uptime_in_seconds:(\d+)", self._ask("INFO", "server"))[0])

    def freeze(self) -> None:
        """Have it do nothing, as if the machine were held up."""
        assert self._process, "it was started"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        assert self._process, "it was started"
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it."""
        assert self._process, "it was started"
        self._process.kill()
        self._process.wait(30)

    def _ask(self, *command: str) -> bytes:
        return subprocess.run(["redis-cli", "-p", str(self.port), *command], check=False, capture_output=True).stdout


@contextmanager
def redis() -> Iterator[Redis]:
    """A server that runs as long as the block lasts."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Redis(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[Link]:
    """A link that runs as long as the block lasts."""
    link = Link(url)
    running = asyncio.create_task(link.run())
    await link.tried.wait()
    try:
        yield link
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
