"""A message and its reply, in JSON, or in plain text if that is all that the server speaks."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection

from chatbot.terminal.connecting import LATER, wait_as_told
from chatbot.terminal.lines import sendable
from chatbot.terminal.screen import printable
from chatbot.terminal.visitor import JSON

Show = Callable[[str], Awaitable[None]]


class Asker:
    """Asks Diego; if he has too much to do, again until he has the time, and says so."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._putting_off = False

    async def ask(self, connection: ClientConnection, text: str, message_id: str) -> str:
        """His reply; one and the same to what is asked again with its id. Raises ConnectionClosed."""
        if connection.subprotocol != JSON:
            await connection.send(sendable(text))
            return printable(str(await connection.recv()))
        message = json.dumps({"type": "message", "text": sendable(text), "id": message_id}, ensure_ascii=False)
        put_off = False
        while seconds := (answer := await _answer(connection, message, message_id)).get("retry_after"):
            put_off = True
            await self._put_off(seconds)
        self._putting_off = put_off
        # An export is data.
        return printable(answer.get("text") or json.dumps(answer.get("data"), ensure_ascii=False, indent=1))

    async def _put_off(self, seconds: float) -> None:
        if not self._putting_off:  # else it was told for the message before
            self._putting_off = True
            await self._show(LATER)
        await wait_as_told(seconds)


async def _answer(connection: ClientConnection, message: str, message_id: str) -> dict[str, Any]:
    await connection.send(message)
    while True:
        frame: dict[str, Any] = json.loads(await connection.recv())
        if frame["type"] != "typing" and frame.get("id") == message_id:
            return frame
