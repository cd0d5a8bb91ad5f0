"""Socket.IO by python-socketio, with a guard at the door: what clients may send, and how far they may lag behind."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Collection, Iterable, Mapping
from typing import Any, TypeVar

import socketio
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT
from socketio.packet import Packet as SocketPacket
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from chatbot.web.rest import MAX_BODY_BYTES, read_body
from chatbot.web.tab import SERVICE_RESTART, UNSUPPORTED_DATA

PING_SECONDS = 20.0
"""How often a client is asked whether it is there, and how long its answer may take."""

MOST_WAITING = 256
"""How many packets may wait for a client to take them."""

AT_ONCE = 64
"""How many clients are told something before others have their turn on the event loop."""

CLOSE_SECONDS = 1.0
"""How long clients may take for what was said last when the server stops."""

CLIENT_EVENTS = ("message", "typing")

RESTARTS = "Diego restarts; please come back in a moment."
NO_ENGINE_IO = "This is for Socket.IO clients of version 4: they come with transport=polling or transport=websocket."
NO_PAYLOAD = "The body must be packets of Engine.IO 4."

# As Engine.IO writes them: 1 close, 2 ping, 3 pong, 4 a message, in which there is a packet of Socket.IO, 5 upgrade.
_PACKET = re.compile("1|[23](?:probe)?|4[0-6].*|5", re.DOTALL)
_SEPARATOR = "\x1e"
_MOST_PACKETS = 16


class _OnlyErrors(logging.Filter):
    """Leaves out what clients do wrong; python-engineio logs that as an error, too, but without an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


_log = logging.getLogger(f"{__name__}.library")
_log.setLevel(logging.ERROR)
_log.addFilter(_OnlyErrors())


class _Packet(SocketPacket):  # type: ignore[misc]
    """A packet of Socket.IO; whatever a client sends can be read.

    What nobody asked for becomes an acknowledgement that nobody waits for, and what is no packet a goodbye.
    """

    def decode(self, encoded_packet: str | bytes) -> int:
        """Read it; no attachments follow."""
        if isinstance(encoded_packet, bytes):  # the attachment of an event, in which its placeholder has been refused
            self.packet_type = ACK
            return 0
        try:
            super().decode(encoded_packet)
        except (ValueError, RecursionError):
            self.packet_type = DISCONNECT
        if self.packet_type in (EVENT, BINARY_EVENT):
            known = isinstance(self.data, list) and self.data[:1] in [[name] for name in CLIENT_EVENTS]
            self.packet_type = EVENT if known else ACK
        elif self.packet_type == BINARY_ACK:
            self.packet_type = ACK
        elif self.packet_type not in (CONNECT, ACK):
            self.packet_type = DISCONNECT
        return 0


def event_packet(event: str, data: Mapping[str, Any]) -> EnginePacket:
    """An event for any number of clients. It is written here, as python-socketio makes six bytes of each é."""
    return EnginePacket(MESSAGE, f"{EVENT}{json.dumps([event, data], ensure_ascii=False, separators=(',', ':'))}")


class Sockets:
    """All Socket.IO connections. `server` is python-socketio's, to which event handlers are added."""

    def __init__(self, allowed_origins: Collection[str]) -> None:
        self.server = socketio.AsyncServer(
            async_mode="asgi",
            async_handlers=False,  # a client's events are handled one after the other
            serializer=_Packet,
            cors_allowed_origins=self._is_allowed,
            http_compression=False,
            max_http_buffer_size=MAX_BODY_BYTES,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            logger=_log,
            engineio_logger=_log,
        )
        self._allowed_origins = allowed_origins
        self._channels: set[_Channel] = set()
        self._draining = False

    async def polling(self, request: Request, visitor: str, headers: Mapping[str, str]) -> ASGIApp:
        """The answer to a request of a client that polls. Raises HTTPException."""
        if self._draining:
            raise HTTPException(503, RESTARTS)
        if not _speaks(request.query_params, "polling"):
            raise HTTPException(400, NO_ENGINE_IO)
        body = {"type": "http.request", "body": _payload(await read_body(request)), "more_body": False}

        async def respond(scope: Scope, _receive: Receive, send: Send) -> None:
            async def receive() -> Message:
                return body

            async def send_with_headers(message: Message) -> None:
                await send(_with_headers(message, headers) if message.get("status") == 200 else message)

            await self.server.handle_request({**scope, "visitor": visitor}, receive, send_with_headers)

        return respond

    async def web_socket(self, ws: WebSocket, visitor: str, headers: Mapping[str, str]) -> None:
        """Serve a WebSocket as long as it lasts."""
        if self._draining or not _speaks(ws.query_params, "websocket"):
            status, sentence = (503, RESTARTS) if self._draining else (400, NO_ENGINE_IO)
            await ws.send_denial_response(JSONResponse({"error": sentence}, status))
            return
        scope = {**ws.scope, "visitor": visitor}
        handshake = self.server.environ.get(ws.query_params.get("sid"))  # of a client that has polled until now
        channels = (handshake["asgi.scope"] if handshake else scope).setdefault("channels", set())
        channel = _Channel(ws, headers)
        for those in (channels, self._channels):
            those.add(channel)
        try:
            await self.server.handle_request(scope, channel.receive, channel.send)
        finally:
            for those in (channels, self._channels):
                those.discard(channel)

    async def send(self, sids: Iterable[str], packet: EnginePacket) -> None:
        """Send a packet to clients; one that has not taken what was sent before is cut off."""
        for number, sid in enumerate([*sids], 1):
            session = self.server.eio.sockets.get(self.server.manager.eio_sid_from_sid(sid, "/"))
            if session and not session.closed:
                if session.queue.qsize() < MOST_WAITING:
                    await session.send(packet)  # which only puts it into the queue
                else:
                    await self._cut_off(session)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    async def drain(self) -> None:
        """End all connections so that clients come back by themselves, after what waits for them, and take no more."""
        self._draining = True
        for session in [*self.server.eio.sockets.values()]:
            if session.upgraded:
                session.queue.put_nowait(None)  # after this the WebSocket is closed
            else:
                await session.close(wait=False)
        for channel in self._channels:
            channel.code = SERVICE_RESTART
        if self._channels:
            await asyncio.wait({channel.serving for channel in self._channels}, timeout=CLOSE_SECONDS)
        for channel in self._channels:
            channel.end()

    async def close(self) -> None:
        """End what python-socketio does beside."""
        await self.server.shutdown()

    async def _cut_off(self, session: Any) -> None:
        channels = self.server.environ[session.sid]["asgi.scope"].get("channels", ())
        await session.close(wait=False, abort=True)
        for channel in channels:
            channel.end()

    def _is_allowed(self, origin: str, environ: Mapping[str, Any]) -> bool:
        scheme = "https" if environ["asgi.scope"]["scheme"] in ("https", "wss") else "http"
        return origin in self._allowed_origins or origin == f"{scheme}://{environ.get('HTTP_HOST')}"


T = TypeVar("T")


class _Channel:
    """The frames of a WebSocket, which ends when it is to, although its client takes nothing."""

    def __init__(self, ws: WebSocket, headers: Mapping[str, str]) -> None:
        self.serving = _current_task()
        self._ws = ws
        self._headers = headers
        self._waiting: set[asyncio.Task[Any]] = set()
        self._ended = False
        self.code = 1000
        """What it is closed with."""

    async def receive(self) -> Message:
        """The next frame; a packet that is none ends the connection."""
        try:
            message = await self._until_ended(self._ws.receive())
        except WebSocketDisconnect:
            return {"type": "websocket.disconnect"}
        text = message.get("text")
        if text is not None and not _PACKET.fullmatch(text):
            self.code = UNSUPPORTED_DATA
            return {"type": "websocket.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Send a frame. Raises WebSocketDisconnect if the client has left or the connection has ended."""
        if message["type"] == "websocket.accept":
            message = _with_headers(message, self._headers)
        elif message["type"] == "websocket.close":
            message["code"] = self.code
        await self._until_ended(self._ws.send(message))

    def end(self) -> None:
        """End it without a word to the client."""
        self._ended = True
        for task in self._waiting:
            task.cancel()

    async def _until_ended(self, doing: Awaitable[T]) -> T:
        task = _current_task()
        self._waiting.add(task)
        try:
            if self._ended:
                raise WebSocketDisconnect
            return await doing
        except asyncio.CancelledError:
            if not self._ended:
                raise
            task.uncancel()
            raise WebSocketDisconnect from None
        finally:
            self._waiting.discard(task)


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _speaks(query: Mapping[str, str], transport: str) -> bool:
    # JSONP, which Engine.IO 4 has no more, would let any site read what is said.
    return query.get("transport") == transport and "j" not in query


def _with_headers(message: Message, headers: Mapping[str, str]) -> Message:
    added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {**message, "headers": [*message.get("headers", ()), *added]}


def _payload(body: bytes) -> bytes:
    """A body of which every packet can be read. Raises HTTPException."""
    try:
        packets = body.decode().split(_SEPARATOR) if body else []
    except UnicodeDecodeError:
        raise HTTPException(400, NO_PAYLOAD) from None
    # Attachments, in Base64 behind a b, belong to events that are refused anyway.
    packets = [packet for packet in packets if not packet.startswith("b")]
    if len(packets) > _MOST_PACKETS or not all(map(_PACKET.fullmatch, packets)):
        raise HTTPException(400, NO_PAYLOAD)
    return _SEPARATOR.join(packets).encode()
