"""The room full of people: how long it takes until the last of them has read what is said, and who chats waits.

The server has one core to itself and the clients have the other. Prints a table in Markdown.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from itertools import product
from typing import NamedTuple

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.compare import ENGLISH, LOAD_CORE, PORT, SERVERS, URL, serving
from benchmarks.load import connect
from benchmarks.messages import messages
from benchmarks.tables import milliseconds, table

ROOM = f"ws://127.0.0.1:{PORT}/sio/socket.io/?EIO=4&transport=websocket"
PEOPLE = (100, 500)
PER_SECOND = (5, 20)
CHAT_PER_SECOND = 7
SECONDS = 20.0
PATIENCE_SECONDS = 30.0
CONNECTING = 50
"""How many connect at once."""


class Talk:
    """What is said, when, and how many have not read it yet."""

    def __init__(self, people: int) -> None:
        self.people = people
        self._waiting: dict[int, tuple[float, int]] = {}
        self.seconds: list[float] = []
        self.complete = asyncio.Event()

    def say(self, number: int) -> None:
        """Note that a message is sent now."""
        self._waiting[number] = (time.perf_counter(), self.people)
        self.complete.clear()

    def read(self, number: int) -> None:
        """Note that somebody has read it; everybody is to read it once."""
        sent, left = self._waiting.pop(number)
        if left > 1:
            self._waiting[number] = (sent, left - 1)
            return
        self.seconds.append(time.perf_counter() - sent)
        if not self._waiting:
            self.complete.set()


class Person(WSListener):
    """Somebody in the room, who speaks as much Socket.IO as that takes."""

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk
        self._transport: WSTransport | None = None
        self._people = 0
        self.here = asyncio.Event()
        self.sees_all = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the way out."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Read a packet."""
        packet = frame.get_payload_as_utf8_text() if frame.msg_type == WSMsgType.TEXT else ""
        if packet.startswith('42["response"'):
            fields = json.loads(packet[2:])[1]
            if fields["id"]:
                self._talk.read(int(fields["id"]))
        elif packet.startswith("0"):
            transport.send(WSMsgType.TEXT, b"40")
        elif packet == "2":
            transport.send(WSMsgType.TEXT, b"3")
        elif packet.startswith('42["welcome"'):
            self._see(len(json.loads(packet[2:])[1]["people"]) - 1)  # without Diego
            self.here.set()
        elif packet.startswith('42["joined"'):
            self._see(1)

    def _see(self, more: int) -> None:
        self._people += more
        if self._people == self._talk.people:
            self.sees_all.set()

    def say(self, number: int, text: str) -> None:
        """Say something under a number."""
        assert self._transport is not None, "somebody who is here is connected"
        self._talk.say(number)
        packet = json.dumps(["message", {"text": text, "id": str(number)}])
        self._transport.send(WSMsgType.TEXT, f"42{packet}".encode())


class Measured(NamedTuple):
    """Times in s: of all coming in, of each message until the last has read it, of the replies in a chat meanwhile."""

    joining: float
    reading: list[float]
    replies: list[float]


async def fill(people: list[Person]) -> None:
    """Have everybody come in."""
    begin = asyncio.Semaphore(CONNECTING)

    async def join(person: Person) -> None:
        async with begin, asyncio.timeout(PATIENCE_SECONDS):
            await ws_connect(lambda: person, ROOM)
            await person.here.wait()

    await asyncio.gather(*map(join, people))
    for person in people:
        await person.sees_all.wait()


class Chatter(WSListener):
    """Somebody in a conversation with Diego."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = asyncio.Event()

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        """Note a reply."""
        if frame.msg_type == WSMsgType.TEXT:
            self.reply.set()


async def chat(said: list[str]) -> list[float]:
    """How long replies take in a conversation."""
    chatter, times = Chatter(), list[float]()
    transport = await connect(URL, chatter)
    assert transport is not None, "the server takes connections"
    begun = time.perf_counter()
    for number, text in enumerate(said):
        await asyncio.sleep(begun + number / CHAT_PER_SECOND - time.perf_counter())
        chatter.reply.clear()
        sent = time.perf_counter()
        transport.send(WSMsgType.TEXT, text.encode())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await chatter.reply.wait()
        times.append(time.perf_counter() - sent)
    transport.disconnect()
    return times


async def converse(people: list[Person], talk: Talk, said: list[str], per_second: int) -> None:
    """Have one after the other say something, so often, until everybody has read all of it."""
    begun = time.perf_counter()
    for number, text in enumerate(said):
        await asyncio.sleep(begun + number / per_second - time.perf_counter())
        people[number % len(people)].say(number, text)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await talk.complete.wait()


async def measure(size: int, per_second: int) -> Measured:
    """What happens with so many in the room of whom one says something so often."""
    said = messages(int((per_second + CHAT_PER_SECOND) * SECONDS))
    talk = Talk(size)
    people = [Person(talk) for _ in range(size)]
    begun = time.perf_counter()
    await fill(people)
    joining = time.perf_counter() - begun
    chatting = asyncio.create_task(chat(said[: int(CHAT_PER_SECOND * SECONDS)]))
    if people:
        await converse(people, talk, said[int(CHAT_PER_SECOND * SECONDS) :], per_second)
    return Measured(joining, talk.seconds, await chatting)


def main() -> None:
    """Measure, and print the table."""
    os.sched_setaffinity(0, {LOAD_CORE})
    rows = []
    for size, per_second in ((0, 0), *product(PEOPLE, PER_SECOND)):
        print(f"{size} people, {per_second} messages per second …", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder, serving(SERVERS["Diego"], folder, ENGLISH):
            measured = asyncio.run(measure(size, per_second))
        times = (*milliseconds(measured.reading), *milliseconds(measured.replies))
        rows.append([f"{size:,}", str(per_second), f"{measured.joining:.2f}", *times])
    header = ("people", "messages/s", "all in after s", "read by all p50 ms", "p99 ms", "max ms")
    print(table((*header, "reply in a chat p50 ms", "p99 ms", "max ms"), rows, texts=0))


if __name__ == "__main__":
    main()
