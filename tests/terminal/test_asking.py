import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve

from chatbot.terminal import connecting
from chatbot.terminal.asking import Asker
from chatbot.terminal.connecting import LATER
from chatbot.terminal.visitor import JSON, Visitor
from tests.processes import Server

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("state")]


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def asker(told: list[str]) -> Asker:
    async def show(text: str) -> None:
        told.append(text)

    return Asker(show)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was to be waited for, which takes no time here."""
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("chatbot.terminal.asking.wait_as_told", wait)
    return waits


@asynccontextmanager
async def talking_to(*frames: dict[str, Any]) -> AsyncIterator[tuple[ClientConnection, list[Any]]]:
    """A connection to a server that answers each message with the next of these, and what it hears."""
    heard: list[Any] = []

    async def answer(client: ServerConnection) -> None:
        for frame in frames:
            if "id" not in frame:
                heard.append(json.loads(await client.recv()))
            await client.send(json.dumps({"id": heard[-1]["id"], **frame}))
        await client.wait_closed()

    async with serve(answer, "127.0.0.1", 0, subprotocols=[JSON]) as server:
        (listening,) = server.sockets
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/conversation"
        async with await Visitor(url, None).connect() as connection:
            yield connection, heard


async def test_what_happens_in_other_tabs_is_no_reply(asker: Asker) -> None:
    others: list[dict[str, Any]] = [
        {"type": kind, "id": other, "text": "not this"} for kind in ("typing", "reply") for other in ("b", None)
    ]
    frames: list[dict[str, Any]] = [{"type": "typing"}, *others, {"type": "reply", "id": "a", "text": "this"}]
    async with talking_to(*frames) as (connection, heard):
        assert await asker.ask(connection, "caf\udce9", "a") == "this"
        assert heard == [{"type": "message", "text": "caf?", "id": "a"}]


async def test_what_diego_has_no_time_for_is_asked_again_and_that_is_told_once(
    asker: Asker, told: list[str], waits: list[float]
) -> None:
    busy = {"type": "error", "text": "Busy.", "retry_after": 1.5}
    reply = {"type": "reply", "text": "Hi"}
    async with talking_to(busy, busy, reply, busy, reply, reply, busy, reply) as (connection, heard):
        for message_id in ("a", "b"):
            assert await asker.ask(connection, "Hello", message_id) == "Hi"
        assert told == [LATER]
        assert waits == [1.5] * 3
        for message_id in ("c", "d"):
            assert await asker.ask(connection, "Hello", message_id) == "Hi"
        assert told == [LATER, LATER]
        assert [message["id"] for message in heard] == ["a", "a", "a", "b", "b", "c", "d", "d"]


@pytest.mark.parametrize(("retry_after", "seconds"), [(-5, 0), (10**9, connecting.MAX_WAIT_SECONDS)])
async def test_no_server_makes_one_wait_for_ever(
    retry_after: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    with monkeypatch.context() as patch:
        patch.setattr("chatbot.terminal.connecting.asyncio.sleep", sleep)
        await connecting.wait_as_told(retry_after)
    assert seconds <= waits[0] <= seconds + 1


@pytest.mark.server
async def test_what_is_asked_twice_with_its_id_is_answered_once(server: Server, asker: Asker, tmp_path: Path) -> None:
    visitor = Visitor(server.url, tmp_path / "visitor")
    for _ in range(2):
        async with await visitor.connect() as connection:
            assert await asker.ask(connection, "Hi", "a") == "Hi"
    assert len(server.get("/conversation/history", Cookie=visitor.cookie()).json()["turns"]) == 1
