"""Real processes: the server and the terminal client."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import psutil
import pytest
from websockets.sync.client import ClientConnection, connect

from chatbot.settings import Settings
from tests.databases import ON_POSTGRESQL, url_in
from tests.nginx import ROOT, listens
from tests.scale import IS_SCALED, WORKERS, proxied, redis_in

T = TypeVar("T")
DIEGO = (str(ROOT / "app.py"),)
STAND_IN = ("-c", "from chatbot.web.server import main; __name__ == '__main__' and main('tests.stand_ins:app')")
_IMPATIENCE = "from chatbot.web import protocol; protocol.TAKE_SECONDS, protocol.TAKE_BYTES = 0.2, 8 << 20"
IMPATIENT = ("-c", f"{_IMPATIENCE}; {STAND_IN[1]}")
READY = re.compile(r"Diego is ready at https?://(\S+)/ ")
_LIMITS = ("rate_limit", "rate_limit_per_address", "max_connections_per_address")
UNLIMITED = {f"DIEGO_{name.upper()}": "0" for name in _LIMITS}
LIMITED = {f"DIEGO_{name.upper()}": str(Settings.model_fields[name].default) for name in _LIMITS}
"""What a server has by itself."""

SECONDS = 180.0  # far more than anything here takes


def needs(program: str) -> pytest.MarkDecorator:
    """Skips the test where there is no such program; in CI it then fails."""
    missing = shutil.which(program) is None and os.environ.get("CI") != "true"
    return pytest.mark.skipif(missing, reason=f"there is no {program} here")


@dataclass
class Server:
    """A running server and what it prints."""

    process: subprocess.Popen[bytes]
    output: Path
    address: str = ""

    @property
    def url(self) -> str:
        return f"ws://{self.address}/conversation"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def log(self) -> str:
        return self.output.read_text()

    def connect(self, query: str = "", **options: Any) -> ClientConnection:
        connection: ClientConnection = connect(self.url + query, **options)
        return connection

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return httpx2.get(f"http://{self.address}{path}", headers=headers, timeout=SECONDS)

    def count(self) -> int:
        return int(self.get("/client-count").json()["count"])

    def send(self, sig: signal.Signals) -> None:
        """Send the signal; what no process can hear is sent to all workers, too."""
        workers = self._workers() if sig in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT) else []
        self.process.send_signal(sig)
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.send_signal(sig)

    def _workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []

    def kill(self) -> None:
        """Kill it, with its workers."""
        self.send(signal.SIGKILL)
        self.process.wait(SECONDS)

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal; the exit status."""
        self.send(sig)
        return self.process.wait(SECONDS)


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with these settings and no others, in which Python finds the project.

    A server has no limits for whoever runs the tests, unless the settings say otherwise: they say a lot. Its log is
    that for people, although it goes to a file.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("DIEGO_")}
    return {**others, "PYTHONPATH": str(ROOT), "DIEGO_LOG_FORMAT": "text", **UNLIMITED, **settings}


def engines(folder: Path) -> dict[str, str]:
    """Settings for the databases that belong to a folder; without any it is a file there."""
    database = {"DIEGO_DATABASE_URL": url_in(folder)} if ON_POSTGRESQL else {}
    return {**database, "DIEGO_REDIS_URL": redis_in(folder)} if IS_SCALED else database


@contextmanager
def launched(folder: Path, *command: str, **settings: str) -> Iterator[Server]:
    """`python` with this command line in a folder of its own; killed at the end if it still runs."""
    output = folder / f"output-{time.monotonic_ns()}.txt"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=environment(**{**engines(folder), **settings}),
            stdout=out,
            stderr=out,
        )
    server = Server(process, output)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def serving(folder: Path, *command: str, port: int = 0, **settings: str) -> Iterator[Server]:
    """A server that is ready: one process, or as many as TEST_WORKERS says, behind an nginx."""
    if not IS_SCALED:
        with serving_directly(folder, *command, port=port, **settings) as server:
            yield server
        return
    trusting = {"DIEGO_TRUSTED_PROXIES": "127.0.0.1", **settings}
    with proxied(port) as (front, behind):
        wait_for(lambda: not listens(behind))  # those who served there before
        with serving_directly(folder, *command, port=behind, **trusting) as server:
            server.address = f"127.0.0.1:{front}"
            yield server


@contextmanager
def serving_directly(folder: Path, *command: str, port: int = 0, **settings: str) -> Iterator[Server]:
    """The same with nothing before it."""
    if IS_SCALED:
        command = (*_file(folder, *command), *(() if "--workers" in command else ("--workers", str(WORKERS))))
    with launched(folder, *command, "--port", str(port), **settings) as server:
        ready = wait_for(lambda: READY.search(server.log), server)
        assert ready is not None
        server.address = ready[1]
        yield server


def _file(folder: Path, *command: str) -> tuple[str, ...]:
    """The command line with what Python is to execute in a file, which every worker executes, too."""
    if command[0] != "-c":
        return command
    file = folder / "serve.py"
    file.write_text(command[1])
    return (str(file), *command[2:])


def trusting(certificate: str | Path) -> ssl.SSLContext:
    """For WebSockets of clients that read in one thread and write in another, which OpenSSL does not allow.

    With TLS 1.3, in which more follows the handshake, 3 of 31,000 of them waited for ever, with 1.2 none of 28,000.
    """
    context = ssl.create_default_context(cafile=certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def read_response(client: socket.socket) -> tuple[str, str]:
    """The status with its words, and the body, of the response that comes, in however many pieces."""
    response = HTTPResponse(client)
    response.begin()
    return f"{response.status} {response.reason}", response.read().decode()


def wait_for(condition: Callable[[], T], server: Server | None = None, seconds: float = SECONDS) -> T:
    """What the condition gives as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        assert server is None or server.process.poll() is None, server.log
        time.sleep(0.02)
    raise AssertionError(server.log if server else "waited in vain")
