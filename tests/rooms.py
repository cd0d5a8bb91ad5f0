"""Clients in the room of a real server: python-socketio's, npm's, and one that writes each packet itself."""

import asyncio
import gc
import json
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import socketio
from socketio.exceptions import ConnectionError as NotConnected
from websockets.sync.client import ClientConnection, connect

from tests.nginx import ROOT
from tests.processes import SECONDS, Server

T = TypeVar("T")
Fields = dict[str, Any]

PATH = "/sio/socket.io"
HANDSHAKE = (
    f"GET {PATH}/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()
NODE = ("node", "tests/socket_io_client.js")


class Listener:
    """Notes what a client is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self._news = asyncio.Event()

    def note(self, event: str, data: Any = None) -> None:
        """Note an event."""
        self.told.append((event, data))
        self._news.set()

    async def until(self, condition: Callable[[], T]) -> T:
        """What the condition gives as soon as it is true."""
        async with asyncio.timeout(SECONDS):
            while not (result := condition()):
                self._news.clear()
                await self._news.wait()
        return result

    def all(self, event: str) -> list[Any]:
        """What came with each event of that name."""
        return [data for name, data in self.told if name == event]

    async def hears(self, event: str, **fields: Any) -> Fields:
        """What comes, or came, with the first such event."""

        def found() -> list[Fields]:
            return [data for data in self.all(event) if fields.items() <= (data or {}).items()]

        return (await self.until(lambda: [{"found": data} for data in found()]))[0]["found"]

    async def hears_so_many(self, event: str, count: int) -> None:
        """Wait until so many events of that name have come, or more."""
        await self.until(lambda: len(self.all(event)) >= count)

    @property
    def texts(self) -> list[str]:
        """What was said since the last history, that included."""
        texts: list[str] = []
        for event, data in self.told:
            if event == "history":
                texts = [message["text"] for message in data["messages"]]
            elif event == "response":
                texts.append(data["text"])
        return texts


class Guest(Listener):
    """python-socketio's client."""

    def __init__(self) -> None:
        super().__init__()
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("*", self.note)
        self.client.on("connect_error", lambda data: self.note("connect_error", data))
        self.client.on("disconnect", lambda reason: self.note("disconnect", reason))

    async def say(self, said: object) -> Any:
        """Say something; the acknowledgement."""
        return await self.client.call("message", said, timeout=SECONDS)


@asynccontextmanager
async def guest(
    server: Server, name: str | None = None, cookie: str = "", transport: str = "websocket", **headers: str
) -> AsyncIterator[Guest]:
    """Somebody who is in the room as long as the block lasts."""
    guest = Guest()
    await _connect(guest, server, name, transport, {**headers, **({"Cookie": cookie} if cookie else {})})
    try:
        await guest.hears("history")
        yield guest
    finally:
        await _leave(guest)


async def refusal(server: Server, name: object, cookie: str = "", **headers: str) -> Any:
    """What somebody is told who does not get in."""
    guest = Guest()
    try:
        await _connect(guest, server, name, "websocket", {**headers, **({"Cookie": cookie} if cookie else {})})
    except NotConnected:
        return guest.all("connect_error")[-1]
    finally:
        await _leave(guest)
    raise AssertionError("not refused")


async def _connect(guest: Guest, server: Server, name: object, transport: str, headers: dict[str, str]) -> None:
    await guest.client.connect(
        f"http://{server.address}",
        headers,
        auth=None if name is None else {"name": name},
        transports=[transport],
        socketio_path=PATH,
        wait_timeout=SECONDS,
    )


async def _leave(guest: Guest) -> None:
    await guest.client.disconnect()
    if http := guest.client.eio.http:  # which python-engineio forgets if the server was first
        await http.close()
    if "polling" in guest.client.connection_transports:  # it leaves answers unread, which would be warned of later
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()


class NodeGuest(Listener):
    """npm's socket.io-client under Node, which comes back by itself and says again what was not acknowledged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__()
        self._process = process

    async def listen(self) -> None:
        """Note what it prints, as long as this runs."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.note(*json.loads(line))

    def say(self, text: str, message_id: str) -> None:
        """Have it say something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"text": text, "id": message_id}).encode() + b"\n")


@asynccontextmanager
async def node_guest(server: Server, name: str, transport: str = "websocket") -> AsyncIterator[NodeGuest]:
    """The same."""
    process = await asyncio.create_subprocess_exec(
        *NODE,
        f"http://{server.address}",
        name,
        transport,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    guest = NodeGuest(process)
    listening = asyncio.create_task(guest.listen())
    try:
        await guest.hears("history")
        yield guest
    finally:
        process.kill()
        await process.wait()
        listening.cancel()


@contextmanager
def raw_guest(server: Server, name: str | None = None) -> Iterator[ClientConnection]:
    """A WebSocket in which each packet is written by hand; those of its coming in are read."""
    with connect(f"ws://{server.address}{PATH}/?EIO=4&transport=websocket") as ws:
        assert str(ws.recv(timeout=SECONDS)).startswith("0")
        ws.send(f"40{json.dumps({'name': name})}")
        for packet in ("40", '42["welcome"', '42["history"'):
            assert str(ws.recv(timeout=SECONDS)).startswith(packet)
        yield ws
