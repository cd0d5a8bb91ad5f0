"""The conversation with one client, over its WebSocket."""

import asyncio
import logging
import uuid
from typing import Any, Protocol

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from chatbot.messages import APOLOGY, RefusedMessage, read_prompt
from chatbot.web.threads import Threads

logger = logging.getLogger(__name__)

UNSUPPORTED_DATA = 1003
SERVICE_RESTART = 1012


class Chatbot(Protocol):
    """What Diego has in common with an echo in his place."""

    def get_response(self, prompt: str, /, *, conversation: str) -> object:
        """The reply, as anything that `str()` makes a text of. It runs in a thread and may take its time."""


class Conversation:
    """The prompts of a client, and replies to them.

    Iterating accepts the connection and yields one prompt after the other, until the client leaves or `drain()` is
    called. Messages that are no prompts get a fixed sentence and are not yielded.
    """

    def __init__(self, ws: WebSocket, threads: Threads) -> None:
        self._ws = ws
        self._threads = threads
        self._id = uuid.uuid4().hex
        # The message that is read ahead: reading also while Diego thinks is how a client's leaving is noticed at once.
        self._next: asyncio.Task[Message] | None = None
        self._waiting = False
        self._draining = False

    def __aiter__(self) -> "Conversation":
        return self

    async def __anext__(self) -> str:
        if self._next is None:
            await self._ws.accept()
            self._read_ahead()
        while (message := await self._message()) is not None:
            try:
                return read_prompt(message)
            except RefusedMessage as refused:
                await self._ws.send_text(str(refused))
        raise StopAsyncIteration

    async def reply(self, chatbot: Chatbot, prompt: str) -> None:
        """Send the chatbot's reply, an apology if it fails. Raises WebSocketDisconnect if the client has left."""
        answering = asyncio.create_task(self._threads.run(answer, chatbot, prompt, self._id))
        assert self._next is not None, "a prompt came, so the next message is being read"
        either: set[asyncio.Future[Any]] = {answering, self._next}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done() and self._next.result()["type"] == "websocket.disconnect":
            answering.cancel()
            raise WebSocketDisconnect
        await self._ws.send_text(await answering)

    def drain(self) -> None:
        """End the conversation with 1012, Service Restart, as soon as no reply is under way."""
        self._draining = True
        if self._waiting:
            self.close()

    def close(self) -> None:
        """Stop reading."""
        if self._next is not None:
            self._next.cancel()

    def _read_ahead(self) -> None:
        self._next = asyncio.create_task(self._ws.receive())

    async def _message(self) -> str | None:
        """The text of the next message; None, and the connection is closed, if none is to come."""
        message = await self._received()
        if message is None:
            await self._ws.close(SERVICE_RESTART, "Diego restarts; please come back in a moment.")
        elif message["type"] == "websocket.receive":
            self._read_ahead()
            if (text := message.get("text")) is not None:
                return str(text)
            await self._ws.close(UNSUPPORTED_DATA, "Diego reads text frames only.")
        return None

    async def _received(self) -> Message | None:
        """The next message, None if the server drains."""
        assert self._next is not None
        if self._draining:
            return None
        self._waiting = True
        try:
            return await self._next
        except asyncio.CancelledError:
            if not self._draining:
                raise
            return None
        finally:
            self._waiting = False


def answer(chatbot: Chatbot, prompt: str, conversation: str) -> str:
    """The text of the chatbot's reply; if it fails an apology, and the traceback goes to the log."""
    try:
        return str(chatbot.get_response(prompt, conversation=conversation))
    except Exception:
        logger.exception("The reply in conversation %s failed.", conversation)
        return APOLOGY
