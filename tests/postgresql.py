"""A PostgreSQL of the tests' own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def programs() -> Path | None:
    """The folder of the newest version's programs, which Debian puts into no PATH; None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).parent if on_path else None


needs_postgresql = pytest.mark.skipif(
    programs() is None and os.environ.get("CI") != "true", reason="there is no PostgreSQL here"
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class PostgreSQL:
    """A server in a folder, on a free port, that only this machine's users can reach."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # It does not run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._programs = programs()
        self.port = free_port()
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", folder / "data", "-U", "diego", "-A", "trust", "-E", "UTF8", "--no-sync")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """That of its own database."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """That of a database."""
        return f"postgresql+psycopg://diego@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process, "it was started"
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = (
            "-c",
            "max_connections=500",
            "-c",
            "fsync=off",
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={self._folder}",
        )
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [f"{self._programs}/postgres", "-D", self._folder / "data", "-p", str(self.port), *options],
                user=self._user,
                stdout=log,
                stderr=log,
            )
        while not self.is_ready():
            assert self._process.poll() is None, (self._folder / "log.txt").read_text()
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Whether it answers."""
        asked = self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), check=False)
        return asked.returncode == 0

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it; by default at once, as if the power failed."""
        assert self._process, "it was started"
        self._process.send_signal(how)
        self._process.wait(30)

    def make(self, database: str) -> str:
        """Make a database; its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "diego", database)
        return self.url_of(database)

    def dump(self, url: str) -> bytes:
        """All that is in a database."""
        return self._run("pg_dump", "--dbname", url.replace("+psycopg", "")).stdout

    def _run(self, program: str, *arguments: object, check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        command = [f"{self._programs}/{program}", *map(str, arguments)]
        return subprocess.run(command, user=self._user, check=check, capture_output=True, cwd="/")


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A server that runs as long as the block lasts."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = PostgreSQL(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
