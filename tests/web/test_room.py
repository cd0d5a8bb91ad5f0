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
from chatbot.messages import APOLOGY, RefusedMessage
from chatbot.settings import Settings
from chatbot.web.door import Rules
from chatbot.web.metrics import Metrics
from chatbot.web.places import Connections
from chatbot.web.rates import unlimited
from chatbot.web.room import CROWDED, NAME_EXPECTED, Room, asks_diego, name_key, prompt_for_diego, read_name
from chatbot.web.sockets import RESTARTS, Sockets
from chatbot.web.threads import Threads
from conftest import Echo
from tests.diaries import ANN, BOB, diary_in
from tests.processes import SECONDS, wait_for


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Ana", "Ana"),
        ("  Ana \t\n María ", "Ana María"),
        ("Mari\u0301a", "María"),
        ("A\x00n\x1ba\ud800", "Ana"),
        ("x" * 32, "x" * 32),
        ("<b>Ana</b>", "<b>Ana</b>"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\u202eana", "\u202eana"),
    ],
)
def test_a_name_is_tidied(given: str, name: str) -> None:
    assert read_name(given) == name


@pytest.mark.parametrize(
    "given", ["", " ", "\x00", "\u200b\u200d", "\u3164", "\u2060 \ufe0f", "x" * 33, "x" * 9999, 7, b"Ana"]
)
def test_what_is_no_name_is_refused(given: object) -> None:
    with pytest.raises(RefusedMessage, match=NAME_EXPECTED):
        read_name(given)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana", "ANA"),
        ("Straße", "STRASSE"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("Ana", "Ａｎａ"),
        ("Ana", "A\u200bn\xada\ufe0f"),
        ("Ana María", "Ana\u00a0María"),
        ("Ana María", "Ana \u2060 María"),
        ("ﬁn", "fin"),
        ("Ana", "\u202eAna\u202c"),
    ],
)
def test_names_that_look_the_same_are_the_same(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("Ana", "Anna"), ("Ana", "Aná"), ("Ana María", "AnaMaría"), ("1", "2")])
def test_other_names_are_others(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("@diego What is AI?", "What is AI?"),
        ("@Diego, what is AI?", "what is AI?"),
        ("What is AI, @DIEGO?", "What is AI ?"),
        ("Hey @diego: what is AI?", "Hey what is AI?"),
        ("(@diego) Hello", "( ) Hello"),
        ("Ask @diego.", "Ask ."),
        ("@diego", ""),
        ("@diego @diego!", "!"),
        ("one\n@diego two", "one two"),
        ("¿@diego estás?", "¿ estás?"),
    ],
)
def test_who_mentions_diego_asks_him_the_rest(text: str, prompt: str) -> None:
    assert asks_diego(text)
    assert prompt_for_diego(text) == prompt


@pytest.mark.parametrize(
    "text",
    [
        "diego",
        "me@diego",
        "me@diego.org",
        "@diego.org",
        "@diegos",
        "@diego-bot",
        "@diego_",
        "@diego@example.org",
        "https://example.org/@diego",
        "@@diego",
        "x@diego",
        "é@diego",
        "@diego's answer",
        "@diego’s answer",
        "@ diego",
    ],
)
def test_what_only_looks_like_a_mention_is_none(text: str) -> None:
    assert not asks_diego(text)


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
    room = Room(Echo(), threads, diary, {}, Sockets(Rules(Settings()), Connections(Settings())), Metrics())
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
