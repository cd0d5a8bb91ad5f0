"""One WebSocket of a visitor."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, TypeVar

from starlette.types import Message as Frame
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from chatbot.messages import NotNow, RefusedMessage
from chatbot.web.inbox import Inbox
from chatbot.web.rates import WENT_ON, CountAsked, Patience, unlimited
from chatbot.web.wire import JSON, Asked, CountRequest, Event, JsonWire, PlainWire, Wire, count_event, error_event

MAX_WAITING = 16
"""How many messages of a client are read before they are answered."""

T = TypeVar("T")

MAX_DIGITS = 16

UNSUPPORTED_DATA = 1003
POLICY_VIOLATION = 1008
SERVICE_RESTART = 1012


class Tab:
    """What a visitor types in one place, and what is shown there.

    Iterating yields what the client asks its visitor's Diego, until it leaves or is to leave. Messages that are no
    prompts get a fixed sentence and are not yielded.
    """

    def __init__(self, ws: WebSocket, cookie: str, count_asked: CountAsked = unlimited) -> None:
        self._ws = ws
        self._cookie = cookie
        self._patience = Patience(count_asked)
        self.rich = JSON in ws.scope["subprotocols"]
        self.seen = _number(ws.query_params.get("last_seq"))
        self._wire: Wire = JsonWire() if self.rich else PlainWire()
        # Reading goes on while Diego thinks, so that a client's leaving is noticed at once, but only so far: the socket
        # of a client that does not wait for replies is left alone until there is room again.
        self._inbox: Inbox[Frame] = Inbox(MAX_WAITING)
        self._reader: asyncio.Task[None] | None = None
        self._answering: asyncio.Future[Any] | None = None
        self._close: tuple[int, str] | None = None
        self._wants_count = False
        self._count_told: int | None = None
        self._telling: asyncio.Task[None] | None = None

    def __aiter__(self) -> "Tab":
        return self

    async def __anext__(self) -> Asked:
        while (frame := await self._frame()) is not None:
            asked = await self._asked(frame)
            if isinstance(asked, RefusedMessage):
                await self.send(error_event(asked))
            elif isinstance(asked, CountRequest):
                self._wants_count, self._count_told = True, None
            else:
                return asked
        raise StopAsyncIteration

    async def _asked(self, frame: str) -> Asked | CountRequest | RefusedMessage:
        """What a frame asks, or why it is refused. One that cannot be read counts, too."""
        asked: Asked | CountRequest | RefusedMessage
        try:
            asked = self._wire.read(frame)
        except RefusedMessage as refused:
            asked = refused
        try:
            await self._patience.count_asked()
        except NotNow as not_now:
            not_now.id = getattr(asked, "id", None)
            if self._patience.lost:
                self.end(POLICY_VIOLATION, WENT_ON)
            return not_now
        return asked

    async def accept(self) -> None:
        """Accept the connection and begin to read."""
        await self._ws.accept(JSON if self.rich else None, [(b"set-cookie", self._cookie.encode())])
        self._reader = asyncio.create_task(self._read())

    async def send(self, event: Event) -> None:
        """Show an event, if the client can. Raises WebSocketDisconnect if it has left or been cut off."""
        if text := self._wire.write(event):
            await _sent(self._ws.send_text(text))

    def tell_count(self, count: int) -> None:
        """Show how many clients are chatting, if this one wants to know, does not know it and takes what is sent."""
        if self._wants_count and count != self._count_told and (self._telling is None or self._telling.done()):
            self._count_told = count
            self._telling = asyncio.create_task(self._tell_count(count))

    async def _tell_count(self, count: int) -> None:
        with suppress(WebSocketDisconnect):
            await self.send(count_event(count))

    async def unless_left(self, answering: asyncio.Future[T]) -> T:
        """What is being worked out for this tab; cancelled, and WebSocketDisconnect raised, if the client leaves."""
        assert self._reader is not None, "a message was read"
        if self._reader.done() and answering.cancel():
            raise WebSocketDisconnect
        self._answering = answering
        try:
            return await answering
        except asyncio.CancelledError:
            if self._reader.done():
                raise WebSocketDisconnect from None
            raise
        finally:
            self._answering = None  # else what was answered would be kept until the next message

    def drain(self) -> None:
        """End with 1012, Service Restart, as soon as no reply is under way."""
        self.end(SERVICE_RESTART, "Diego restarts; please come back in a moment.")

    def end(self, code: int, reason: str) -> None:
        """Close with that code as soon as no reply is under way."""
        if self._close is None:
            self._close = code, reason
            self._inbox.end()

    def stop_reading(self) -> None:
        """To be called at the end."""
        for task in (self._reader, self._telling):
            if task is not None:
                task.cancel()

    async def _read(self) -> None:
        """Read until the client leaves."""
        try:
            while (frame := await self._ws.receive())["type"] != "websocket.disconnect":
                await self._inbox.put(frame)
        finally:
            if self._answering:
                self._answering.cancel()
            self._inbox.end()

    async def _frame(self) -> str | None:
        """The text of the next frame; None, and the connection is closed, if none is to come."""
        frame = await self._inbox.take()
        if self._close:
            await _sent(self._ws.close(*self._close))
            return None
        if frame is None:
            return None
        if (text := frame.get("text")) is None:
            await _sent(self._ws.close(UNSUPPORTED_DATA, "Diego reads text frames only."))
            return None
        return str(text)


async def _sent(sending: Awaitable[None]) -> None:
    """Return when something is sent; a client that takes too little is cut off by `chatbot.web.protocol`."""
    try:
        await sending
    except WebSocketDisconnected:  # it is being closed
        raise WebSocketDisconnect from None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < MAX_DIGITS else None
