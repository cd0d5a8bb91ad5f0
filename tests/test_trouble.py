"""A real server whose database is locked or whose disk is full: what visitors are told, and that nothing is lost."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import InvalidStatus

from chatbot.messages import APOLOGY
from tests.databases import only_sqlite
from tests.processes import DIEGO, SECONDS, Server, launched, wait_for
from tests.small import SETTINGS, answer, operate, serving_small
from tests.tabs import history, new_cookie, open_plain_tab, open_tab, receive, send

pytestmark = [pytest.mark.server, only_sqlite]

CROWD = 20
APOLOGIES = 60
"""How many each of the crowd gets. If each took as long as a lock is waited for, the test would not end."""

BEGUN, OVER = "Nothing can be written to ", " can be written again."

_HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process holds the lock as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.communicate(timeout=SECONDS)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """There is no room in the file system of a folder as long as the block lasts."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode and os.environ.get("CI") != "true":
        pytest.skip(f"No small file system can be made here: {mounted.stderr.strip()}")
    assert mounted.returncode == 0, mounted.stderr
    yield folder
    subprocess.run(["umount", folder], check=True)


class Said(NamedTuple):
    """What a visitor has said and what came back."""

    cookie: str
    replies: dict[str, str]

    def apologies(self) -> int:
        return [*self.replies.values()].count(APOLOGY)


def chat(server: Server, said: Said, until: threading.Event) -> None:
    with open_plain_tab(server, said.cookie) as tab:
        while not until.is_set():
            text = f"What is a walrus? {len(said.replies)}"
            said.replies[text] = answer(tab, text)


@contextmanager
def crowd(server: Server) -> Iterator[list[Said]]:
    """Visitors chat as long as the block lasts; then each has just those turns to which there were replies."""
    everybody = [Said(new_cookie(server), {}) for _ in range(CROWD)]
    over = threading.Event()
    with ThreadPoolExecutor(CROWD) as pool:
        chatting = [pool.submit(chat, server, said, over) for said in everybody]
        try:
            yield everybody
        finally:
            over.set()
        for one in chatting:
            one.result(SECONDS)
    for said in everybody:
        answered = [text for text, reply in said.replies.items() if reply != APOLOGY]
        assert kept(server, said.cookie) == answered


def kept(server: Server, cookie: str) -> list[str]:
    """All prompts that are kept of a visitor."""
    prompts: list[str] = []
    query = ""
    while page := history(server, cookie, query):
        prompts[:0] = [turn["prompt"] for turn in page]
        query = f"?before={page[0]['seq']}"
    return prompts


def assert_others_go_on(server: Server) -> None:
    """Who comes now is told that something is wrong; who just reads is not held up."""
    cookie = new_cookie(server)
    with open_tab(server, cookie) as tab, server.connect() as watching:
        send(tab, type="message", text="My name is Ann.", id="a")
        assert {receive(tab)["type"], receive(tab)["text"]} == {"typing", APOLOGY}
        send(tab, type="teach", prompt="Ping", reply="Pong", id="t")
        assert receive(tab) == {"type": "error", "id": "t", "text": APOLOGY}
        send(tab, type="lessons", id="l")
        assert receive(tab)["lessons"] == []
        send(tab, type="history")
        assert receive(tab)["turns"] == []
        assert watching.ping().wait(SECONDS)
    assert server.get("/client-count").status_code == 200
    refused = server.get("/conversation/why", Cookie=cookie)
    assert refused.status_code == 200


def assert_it_is_over(server: Server) -> None:
    with open_plain_tab(server, new_cookie(server)) as tab:
        assert answer(tab, "What is a walrus?") == "A large animal with tusks."


def assert_told_once(server: Server, reason: str) -> None:
    assert server.log.count(BEGUN) == server.log.count(OVER) == 1
    assert reason in server.log
    assert "Traceback" not in server.log


def test_while_the_visitors_database_is_locked_all_are_told_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    with serving_small(tmp_path) as server:
        with crowd(server) as everybody:
            with locked(tmp_path / "diego.db.visitors"):
                wait_for(lambda: min(said.apologies() for said in everybody) >= APOLOGIES, server)
                assert_others_go_on(server)
            assert_it_is_over(server)
        assert_told_once(server, "database is locked")
        assert server.stop() == 0


def test_while_the_knowledge_is_locked_nobody_notices(tmp_path: Path) -> None:
    with serving_small(tmp_path) as server, locked(tmp_path / "diego.db"):
        with crowd(server) as everybody:
            wait_for(lambda: min(len(said.replies) for said in everybody) >= APOLOGIES, server)
            assert sum(said.apologies() for said in everybody) == 0
        assert server.stop() == 0


def test_while_the_disk_is_full_all_are_told_and_nothing_is_lost(tmp_path: Path, small_disk: Path) -> None:
    with serving_small(tmp_path, DIEGO_DATABASE_URL=f"sqlite:///{small_disk}/diego.db") as server:
        with crowd(server) as everybody:
            with full(small_disk):
                wait_for(lambda: min(said.apologies() for said in everybody) >= APOLOGIES, server)
                assert_others_go_on(server)
            assert_it_is_over(server)
        assert "disk is full" in server.log or "disk I/O error" in server.log
        assert "Traceback" not in server.log
        assert server.stop() == 0


@pytest.mark.parametrize("name", ["diego.db", "diego.db.visitors", "diego.db.key"])
def test_a_damaged_file_is_told_at_the_start_with_the_way_out(tmp_path: Path, name: str) -> None:
    with serving_small(tmp_path) as server:
        operate(server, "backup", "backup.zip")
        assert server.stop() == 0
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:7])
    with launched(tmp_path, *DIEGO, "--port", "0", **SETTINGS) as server:
        assert server.process.wait(SECONDS) not in (0, None)
        assert f"{name} " in server.log
        assert "python -m chatbot restore FILE" in server.log
        assert "Traceback" not in server.log
        operate(server, "restore", "backup.zip")
    with serving_small(tmp_path) as server:
        assert_it_is_over(server)


def test_damage_that_appears_while_he_runs_is_told_and_a_backup_is_the_way_out(tmp_path: Path) -> None:
    with serving_small(tmp_path) as server:
        cookie = new_cookie(server)
        with open_plain_tab(server, cookie) as tab:
            answer(tab, "What is a walrus?")
        operate(server, "backup", "backup.zip")
        assert server.stop() == 0
    with serving_small(tmp_path) as server:
        with (tmp_path / "diego.db.visitors").open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (os.fstat(file.fileno()).st_size - 4096))
        unavailable = [server.get("/conversation/history", Cookie=cookie) for _ in range(3)]
        assert {(answer.status_code, answer.json()["error"]) for answer in unavailable} == {(503, APOLOGY)}
        with pytest.raises(InvalidStatus, match="503"):
            open_plain_tab(server, cookie)
        assert server.get("/client-count").json() == {"count": 0}
        operate(server, "restore", "backup.zip")
        wait_for(lambda: server.get("/conversation/history", Cookie=cookie).status_code == 200, server)
        assert kept(server, cookie) == ["What is a walrus?"]
        assert_it_is_over(server)
        assert server.log.count("diego.db.visitors is damaged") == 1
        assert "Traceback" not in server.log
