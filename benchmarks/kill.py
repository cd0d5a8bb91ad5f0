"""Does a turn get lost? Clients chat while the server is killed again and again, then compare what they were told.

`python -m benchmarks.kill --rounds 50` starts `python app.py` in a folder of its own and kills it with SIGKILL at
random moments. The clients come back with the number of the last turn that they saw, and say again what had no reply,
with the same id. At the end what each was told is compared with the database. Prints a table in Markdown; the status is
1 if anything is wrong.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from benchmarks.load import UNLIMITED
from benchmarks.messages import messages
from benchmarks.tables import table

ROOT = Path(__file__).parent.parent
SETTINGS = {"DIEGO_CORPORA": "chatterbot.corpus.english", **UNLIMITED}
CLIENTS = 50
IN_FLIGHT = 3
"""How many messages a client has sent without a reply."""

MOST_SECONDS = 1.0
"""The server is killed at most so long after its first reply."""

SHARE_OF_STARTS = 0.1
"""In so many rounds it is killed while it starts."""

RETRY_SECONDS = 0.02
REPLY_SECONDS = 120.0
SEED = 2019

FAULTS = ("missing", "doubled", "out of order", "half", "never answered", "error instead of a reply")


class Told(NamedTuple):
    """A turn, as a client is told of it and as the database keeps it."""

    number: int
    message_id: str
    prompt: str
    reply: str


class Client:
    """A visitor who says the next thing as soon as there is a reply, and comes back whenever the connection is lost."""

    def __init__(self, number: int, texts: list[str], counted: Counter[str]) -> None:
        self.told: list[Told] = []
        self.said: dict[str, str] = {}
        self.visitor = ""
        self.finishing = False
        self._number = number
        self._texts = texts
        self._cookie = ""
        self._waiting: dict[str, str] = {}
        self._counted = counted

    @property
    def finished(self) -> bool:
        """Whether it says nothing more and every message has a reply."""
        return self.finishing and not self._waiting

    async def chat(self, url: str) -> None:
        """Chat until it has finished."""
        while not self.finished:
            headers = {"Cookie": self._cookie} if self._cookie else {}
            address = f"{url}?last_seq={len(self.told)}"
            with suppress(OSError, EOFError, TimeoutError, WebSocketException):
                async with connect(
                    address, subprotocols=[Subprotocol("diego.v1+json")], additional_headers=headers, proxy=None
                ) as connection:
                    await self._talk(connection)
            await asyncio.sleep(RETRY_SECONDS)

    async def _talk(self, connection: ClientConnection) -> None:
        assert connection.response is not None
        self._cookie = connection.response.headers["Set-Cookie"].partition(";")[0]
        self.visitor = self._cookie.partition("=")[2].partition(".")[0]
        self._counted["said again"] += len(self._waiting)
        for message_id, text in self._waiting.items():
            await _say(connection, message_id, text)
        while True:
            while len(self._waiting) < IN_FLIGHT and not self.finishing:
                message_id, text = f"{self._number}-{len(self.said)}", self._texts[len(self.said) % len(self._texts)]
                self.said[message_id] = self._waiting[message_id] = text
                await _say(connection, message_id, text)
            if not self._waiting:
                return
            self.hear(json.loads(await connection.recv()))

    def hear(self, event: dict[str, Any]) -> None:
        """Note what the server tells. Raises EOFError if the connection is of no use any more."""
        if event["type"] == "error":
            self._counted["error instead of a reply"] += 1
            raise EOFError  # it is said again
        for fields in event.get("turns", [event] if event["type"] == "reply" else []):
            turn = Told(fields["seq"], fields["id"], fields["prompt"], fields["text"])
            if turn in self.told[-IN_FLIGHT:]:
                continue  # it was said again, and shown already with what was missed
            self._counted["seen after coming back"] += event["type"] == "history"
            self._counted["doubled"] += any(turn.message_id == told.message_id for told in self.told[-100:])
            self._counted["out of order"] += turn.number != len(self.told) + 1
            self.told.append(turn)
            self._waiting.pop(turn.message_id, None)


async def _say(connection: ClientConnection, message_id: str, text: str) -> None:
    await connection.send(json.dumps({"type": "message", "id": message_id, "text": text}))


@contextmanager
def serving(folder: Path, port: int) -> Iterator[None]:
    """A server that is killed at the end."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, str(ROOT / "app.py"), "--port", str(port), "--log-level", "error"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **SETTINGS},
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """One that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def turns_told(clients: list[Client]) -> int:
    """How many turns the clients were told of."""
    return sum(len(client.told) for client in clients)


async def until(condition: Callable[[], bool]) -> None:
    """Return as soon as it holds. Raises TimeoutError."""
    async with asyncio.timeout(REPLY_SECONDS):
        while not condition():  # noqa: ASYNC110 - many clients change it
            await asyncio.sleep(RETRY_SECONDS)


async def until_new_turns(clients: list[Client]) -> None:
    """Return as soon as a client is told of another turn. Raises TimeoutError."""
    before = turns_told(clients)
    await until(lambda: turns_told(clients) > before)


async def killing(folder: Path, rounds: int, clients: list[Client]) -> None:
    """Let the clients chat while the server is killed so many times, and finish at a last one."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    port = free_port()
    async with asyncio.TaskGroup() as chatting:
        for client in clients:
            chatting.create_task(client.chat(f"ws://127.0.0.1:{port}/conversation"))
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} …", file=sys.stderr)
            with serving(folder, port):
                if number == 0 or chance.random() >= SHARE_OF_STARTS:
                    await until_new_turns(clients)
                await asyncio.sleep(chance.uniform(0, MOST_SECONDS))
        with serving(folder, port):
            await until_new_turns(clients)
            for client in clients:
                client.finishing = True
            await until(lambda: all(client.finished for client in clients))


def compare(database: sqlite3.Connection, clients: list[Client], counted: Counter[str]) -> None:
    """Count what is wrong, beside what the clients noticed themselves."""
    for client in clients:
        rows = database.execute(
            "SELECT number, message_id, prompt, reply FROM turn WHERE visitor = ? ORDER BY number", (client.visitor,)
        ).fetchall()
        kept = [Told._make(row) for row in rows]
        ids = [turn.message_id for turn in kept]
        counted["turns"] += len(kept)
        counted["messages"] += len(client.said)
        counted["missing"] += len({*client.told} ^ {*kept})
        counted["doubled"] += len(ids) - len({*ids})
        counted["never answered"] += len({*client.said} - {*ids})
        counted["out of order"] += [turn.number for turn in kept] != [*range(1, len(kept) + 1)]
        counted["out of order"] += ids != [*client.said]
        counted["half"] += sum(not turn.reply or turn.prompt != client.said.get(turn.message_id) for turn in kept)
    (everybodys,) = database.execute("SELECT count(*) FROM turn").fetchone()
    counted["missing"] += everybodys - counted["turns"]


def main() -> None:
    """Kill, compare, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    counted: Counter[str] = Counter()
    said = messages()
    clients = [Client(number, said[number::CLIENTS], counted) for number in range(CLIENTS)]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(killing(Path(folder), rounds, clients))
        with closing(sqlite3.connect(Path(folder) / "diego.db.visitors")) as database:
            compare(database, clients, counted)
            (integrity,) = database.execute("PRAGMA integrity_check").fetchone()
    header = ["kills", "clients", "messages", "said again", "seen after coming back", "turns", *FAULTS, "integrity"]
    numbers = [rounds, CLIENTS, *(counted[name] for name in header[2:-1])]
    print(table(header, [[*(f"{number:,}" for number in numbers), integrity]], texts=0))
    sys.exit(integrity != "ok" or any(counted[fault] for fault in FAULTS))


if __name__ == "__main__":
    main()
