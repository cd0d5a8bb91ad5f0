import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from engineio.packet import Packet
from socketio.exceptions import ConnectionRefusedError as Refused
from sqlalchemy.exc import OperationalError

from chatbot.bot.diary import Diary
from chatbot.bot.room import Said
from chatbot.messages import APOLOGY
from chatbot.settings import Settings
from chatbot.web.door import Rules
from chatbot.web.metrics import Metrics
from chatbot.web.people import People
from chatbot.web.places import Connections
from chatbot.web.rates import unlimited
from chatbot.web.room import CROWDED, Room
from chatbot.web.sockets import RESTARTS, Sockets
from chatbot.web.threads import Threads
from conftest import Echo
from tests.diaries import ANN, BOB, diary_in
from tests.processes import SECONDS, wait_for


class RoomHere:
    """A room without a network: what its clients are told is noted, and they say things by its event handlers."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.told: list[str] = []
        self.count_asked = unlimited
        self._handlers = room.sockets.server.handlers["/"]

        async def send(_sids: Iterable[str], packet: Packet) -> None:
            self.told.append(packet.data)

        room.sockets.send = send  # type: ignore[assignment,method-assign]

    async def connect(self, sid: str, visitor: str, name: str | None = None) -> None:
        await self._handlers["connect"](
            sid, {"asgi.scope": {"visitor": visitor, "count_asked": self.count_asked}}, {"name": name}
        )

    def disconnect(self, sid: str) -> None:
        self._handlers["disconnect"](sid, "has left")

    async def say(self, sid: str, said: object) -> Any:
        return await self._handlers["message"](sid, said)


@pytest.fixture
def diary(tmp_path: Path) -> Any:
    with closing(diary_in(tmp_path)) as diary:
        yield diary


@pytest.fixture
async def here(diary: Diary) -> AsyncIterator[RoomHere]:
    threads = Threads()
    room = Room(Echo(), threads, diary, People(), Sockets(Rules(Settings()), Connections(Settings())), Metrics())
    await room.open()
    yield RoomHere(room)
    await room.close()
    threads.close()


@pytest.mark.anyio
async def test_what_is_said_while_the_server_stops_is_not_said_and_not_acknowledged(
    here: RoomHere, diary: Diary
) -> None:
    await here.connect("a", ANN, "Ann")
    await here.connect("b", BOB, "Bob")
    assert await here.say("a", "Hi") == {"number": 1}
    await here.room.drain(SECONDS)
    assert await here.say("a", "Too late") is here.room.sockets.server.not_handled
    here.disconnect("a")
    with pytest.raises(Refused, match=RESTARTS):
        await here.connect("c", ANN)
    await asyncio.sleep(0)
    assert [said.text for said in diary.room.last()] == ["Hi"]
    assert here.told[-1] == f'2["draining",{{"text":"{RESTARTS}"}}]'


@pytest.mark.anyio
@pytest.mark.parametrize("error", [OperationalError("INSERT", {}, Exception("the disk is full")), ValueError("full")])
async def test_what_cannot_be_kept_is_not_told(
    here: RoomHere, diary: Diary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(_messages: list[Said]) -> list[Said | None]:
        raise error

    await here.connect("a", ANN, "Ann")
    with monkeypatch.context() as patch:
        patch.setattr(diary.room, "keep", fail)
        assert await here.say("a", {"text": "Hi", "id": "a1"}) == {"error": APOLOGY}
    assert not any("response" in packet for packet in here.told)
    assert str(error) in caplog.text
    assert await here.say("a", {"text": "Hi", "id": "a1"}) == {"number": 1}


@pytest.mark.anyio
async def test_what_cannot_be_sent_is_said_nevertheless_and_the_room_goes_on(
    here: RoomHere, diary: Diary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_sids: Iterable[str], _packet: Packet) -> None:
        raise RuntimeError("the network is gone")

    await here.connect("a", ANN, "Ann")
    with monkeypatch.context() as patch:
        patch.setattr(here.room.sockets, "send", fail)
        assert await here.say("a", "@diego Hello") == {"number": 1}
        await asyncio.to_thread(wait_for, lambda: len(diary.room.last()) == 2)
    assert [said.text for said in diary.room.last()] == ["@diego Hello", APOLOGY]
    assert "the network is gone" in caplog.text
    assert await here.say("a", "Hi") == {"number": 3}


@pytest.mark.anyio
async def test_the_queue_of_what_is_to_be_told_is_bounded(here: RoomHere, monkeypatch: pytest.MonkeyPatch) -> None:
    await here.connect("a", ANN, "Ann")
    monkeypatch.setattr("chatbot.web.room.MOST_WAITING", 1)
    answer = await here.say("a", "Hi")  # behind what is told of Ann
    assert re.fullmatch(CROWDED.format("[123]"), answer["error"])
    assert 1 <= answer["retry_after"] <= 3
    here.disconnect("a")
    with pytest.raises(Refused, match=CROWDED.format("[123]")):
        await here.connect("b", BOB)
    await asyncio.sleep(0)
    await asyncio.wait_for(here.room.drain(SECONDS), SECONDS)
    assert ["draining" in packet for packet in here.told[-2:]] == [False, True]
