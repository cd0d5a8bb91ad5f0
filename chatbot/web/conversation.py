"""The conversation with one client, over its WebSocket."""

import asyncio
import logging
import uuid
from contextlib import suppress
from typing import Protocol

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from chatbot.messages import APOLOGY, RefusedMessage, read_prompt
from chatbot.web.threads import Threads

logger = logging.getLogger(__name__)

MAX_WAITING = 16
"""How many messages of a client are read before they are answered."""

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
        # None ends it. Reading goes on while Diego thinks, so that a client's leaving is noticed at once, but only so
        # far: the socket of a client that does not wait for replies is left alone until there is room again.
        self._inbox: asyncio.Queue[Message | None] = asyncio.Queue(MAX_WAITING)
        self._reader: asyncio.Task[None] | None = None
        self._answering: asyncio.Future[str] | None = None
        self._draining = False

    def __aiter__(self) -> "Conversation":
        return self

    async def __anext__(self) -> str:
        if self._reader is None:
            await self._ws.accept()
            self._reader = asyncio.create_task(self._read())
        while (message := await self._message()) is not None:
            try:
                return read_prompt(message)
            except RefusedMessage as refused:
                await self._ws.send_text(str(refused))
        raise StopAsyncIteration

    async def reply(self, chatbot: Chatbot, prompt: str) -> None:
        """Send the chatbot's reply, an apology if it fails. Raises WebSocketDisconnect if the client has left."""
        assert self._reader is not None, "a prompt was read"
        if self._reader.done():
            raise WebSocketDisconnect
        self._answering = self._threads.run(answer, chatbot, prompt, self._id)
        try:
            reply = await self._answering
        except asyncio.CancelledError:
            if self._reader.done():
                raise WebSocketDisconnect from None
            raise
        await self._ws.send_text(reply)

    def drain(self) -> None:
        """End the conversation with 1012, Service Restart, as soon as no reply is under way."""
        if not self._draining:
            self._draining = True
            with suppress(asyncio.QueueFull):  # then it is not waiting for a message
                self._inbox.put_nowait(None)

    def stop_reading(self) -> None:
        """To be called at the end."""
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self) -> None:
        """Read until the client leaves."""
        while (message := await self._ws.receive())["type"] != "websocket.disconnect":
            await self._inbox.put(message)
        if self._answering:
            self._answering.cancel()
        with suppress(asyncio.QueueFull):  # then it is found out at the next reply
            self._inbox.put_nowait(None)

    async def _message(self) -> str | None:
        """The text of the next message; None, and the connection is closed, if none is to come."""
        message = await self._inbox.get()
        if self._draining:
            await self._ws.close(SERVICE_RESTART, "Diego restarts; please come back in a moment.")
            return None
        if message is None:
            return None
        if (text := message.get("text")) is None:
            await self._ws.close(UNSUPPORTED_DATA, "Diego reads text frames only.")
            return None
        return str(text)


def answer(chatbot: Chatbot, prompt: str, conversation: str) -> str:
    """The text of the chatbot's reply; if it fails an apology, and the traceback goes to the log."""
    try:
        reply = str(chatbot.get_response(prompt, conversation=conversation))
        return reply.encode("utf-8", "replace").decode()  # a lone surrogate cannot be sent
    except BaseException:  # an adapter that calls sys.exit() must not end the server
        logger.exception("The reply in conversation %s failed.", conversation)
        return APOLOGY
