"""People come and go for twenty minutes, in every way there is, and may leave nothing behind.

`python -m benchmarks.soak --connections 2000 --seconds 1200` keeps so many connections open: they chat, or are in the
room, and leave politely, with a reset, or without a word, taking nothing any more. Now and then the server stands still
for seconds (SIGSTOP), as if its network were lost. Prints a table in Markdown; the status is 1 if a bound is broken.
"""

import asyncio
import random
import signal
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from urllib.request import urlopen

import psutil
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.kill import until
from benchmarks.messages import messages
from benchmarks.servers import diego, read_arguments
from benchmarks.tables import table

CONNECTIONS = 2_000
SECONDS = 1200.0
WARM_SHARE = 0.1
"""After such a share of the time memory is measured for the first time."""

MOST_GROWTH = 1.1
MOST_FILES_LEFT = 20
"""Each thread that asks a database keeps it open, and there are more threads when replies take long."""

ROOM_SHARE = 0.02
SHARES = {"close": 0.6, "reset": 0.3, "vanish": 0.1}
"""How people leave."""

KNOWN_SHARE = 0.5
"""So many bring the cookie of somebody who was here before."""

PAUSES = 20
PAUSE_SECONDS = 3.0
MOST_MESSAGES = 6
THINKING_SECONDS = 8.0
"""At most so long between a reply and the next message."""

VANISHED_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
RESET = struct.pack("ii", 1, 0)
SEED = 2019


class Peer(WSListener):
    """One end of a connection."""

    def __init__(self, opening: str) -> None:
        super().__init__()
        self._opening = opening
        self.welcome = asyncio.Event()
        self.heard = asyncio.Event()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Note what is told; in the room, be polite as Engine.IO has it."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        if frame.msg_type != WSMsgType.TEXT:
            return
        text = frame.get_payload_as_utf8_text()
        if self._opening and text.startswith("0"):
            transport.send(WSMsgType.TEXT, self._opening.encode())
        elif self._opening and text == "2":
            transport.send(WSMsgType.TEXT, b"3")
        elif self._opening and text.startswith("40"):
            self.welcome.set()
        elif not self._opening or text.startswith("43"):
            self.heard.set()


class Crowd:
    """Everybody who comes and goes, and what became of it."""

    def __init__(self, address: str, ends: float) -> None:
        self.counted: Counter[str] = Counter()
        self._address = address
        self._ends = ends
        self._said = messages(20_000)
        self._chance = random.Random(SEED)  # noqa: S311 - no secret
        self._cookies: list[str] = []

    async def one_after_the_other(self) -> None:
        """Keep one connection open until the end, always another one."""
        await asyncio.sleep(self._chance.uniform(0, THINKING_SECONDS))
        while time.monotonic() < self._ends:
            in_room = self._chance.random() < ROOM_SHARE
            path = "/sio/socket.io/?EIO=4&transport=websocket" if in_room else "/conversation"
            peer = Peer("40" if in_room else "")
            headers = self._headers()
            try:
                transport, _ = await ws_connect(
                    lambda peer=peer: peer,
                    f"ws://{self._address}{path}",
                    extra_headers=headers,
                    websocket_handshake_timeout=PATIENCE_SECONDS,
                )
            except (OSError, WSError, TimeoutError) as error:
                self.counted["refused"] += 1
                print(f"Refused {self._ends - time.monotonic():.1f} s before the end: {error!r}", file=sys.stderr)
                continue
            self.counted["connections"] += 1
            self._keep_cookie(transport)
            await self._talk(transport, peer, in_room=in_room)
            await self._leave(transport)

    def _headers(self) -> dict[str, str]:
        known = self._cookies and self._chance.random() < KNOWN_SHARE
        return {"Cookie": self._chance.choice(self._cookies)} if known else {}

    def _keep_cookie(self, transport: WSTransport) -> None:
        cookie = transport.response.headers["Set-Cookie"].partition(";")[0]
        if len(self._cookies) < CONNECTIONS:
            self._cookies.append(cookie)
        else:
            self._cookies[self._chance.randrange(CONNECTIONS)] = cookie

    async def _talk(self, transport: WSTransport, peer: Peer, *, in_room: bool) -> None:
        if in_room and not await _in_time(peer.welcome):  # what is said before is not heard
            self.counted["unanswered"] += 1
            return
        for number in range(self._chance.randint(1, MOST_MESSAGES)):
            await asyncio.sleep(self._chance.uniform(0, THINKING_SECONDS))
            if time.monotonic() > self._ends:
                return
            peer.heard.clear()
            said = self._chance.choice(self._said)
            with suppress(WSError):
                transport.send(WSMsgType.TEXT, (_room_packet(number, said) if in_room else said).encode())
            if not await _in_time(peer.heard):
                self.counted["unanswered"] += 1
                place = "the room" if in_room else "a conversation"
                print(f"No reply to message {number} in {place} to {said!r}.", file=sys.stderr)
                return
            self.counted["replies"] += 1

    async def _leave(self, transport: WSTransport) -> None:
        (way,) = self._chance.choices([*SHARES], [*SHARES.values()])
        self.counted[way] += 1
        if way == "close":
            transport.send_close(WSCloseCode.OK)
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await transport.wait_disconnected()
            return
        if way == "vanish":
            transport.underlying_transport.pause_reading()
            await asyncio.sleep(min(VANISHED_SECONDS, max(0, self._ends - time.monotonic())))
        connection: socket.socket = transport.underlying_transport.get_extra_info("socket")
        with suppress(OSError):  # the server was first
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        transport.underlying_transport.abort()


async def _in_time(event: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _room_packet(number: int, said: str) -> str:
    return f'420["message",{{"text":"{number} {said.translate(_QUOTED)}"}}]'


_QUOTED = str.maketrans({'"': r"\"", "\\": r"\\"})


async def pause(server: psutil.Process, seconds: float) -> None:
    """Have the server stand still now and then."""
    for _ in range(PAUSES):
        await asyncio.sleep(seconds / (PAUSES + 1) - min(PAUSE_SECONDS, seconds / 100))
        server.send_signal(signal.SIGSTOP)
        await asyncio.sleep(min(PAUSE_SECONDS, seconds / 100))
        server.send_signal(signal.SIGCONT)


def count(address: str) -> int:
    """How many the server counts."""
    with urlopen(f"http://{address}/client-count", timeout=PATIENCE_SECONDS) as response:
        return int(response.read().partition(b":")[2].strip(b" }"))


async def soak(server: psutil.Process, address: str, connections: int, seconds: float) -> dict[str, int]:
    """What came of it."""
    files = server.num_fds()
    crowd = Crowd(address, time.monotonic() + seconds)
    async with asyncio.TaskGroup() as crowding:
        for _ in range(connections):
            crowding.create_task(crowd.one_after_the_other())
        crowding.create_task(pause(server, seconds))
        await asyncio.sleep(seconds * WARM_SHARE)
        warm = server.memory_info().rss
        await asyncio.sleep(seconds * (1 - WARM_SHARE) * 0.98)
        full = server.memory_info().rss
    with suppress(TimeoutError):  # then the table shows it
        await until(lambda: count(address) == 0 and server.num_fds() <= files + MOST_FILES_LEFT)
    kept = ("connections", "replies", *SHARES, "refused", "unanswered")
    return {
        **{name: crowd.counted[name] for name in kept},
        "kB warm": warm // 1000,
        "kB at the end": full // 1000,
        "files more": server.num_fds() - files,
        "count": count(address),
    }


def main() -> None:
    """Let them come and go, and print what came of it."""
    arguments = read_arguments(__doc__, CONNECTIONS, SECONDS)
    with tempfile.TemporaryDirectory() as folder, diego(folder) as (server, address):
        figures = asyncio.run(soak(server, address, arguments.connections, arguments.seconds))
    print(table([*figures], [[f"{figure:,}" for figure in figures.values()]], texts=0))
    grown = figures["kB at the end"] > MOST_GROWTH * figures["kB warm"] or figures["files more"] > MOST_FILES_LEFT
    sys.exit(grown or any(figures[name] for name in ("refused", "unanswered", "count")))


if __name__ == "__main__":
    main()
