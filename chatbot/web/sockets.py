"""Socket.IO by python-socketio, with a guard at the door: what clients may send, and how far they may lag behind."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from itertools import takewhile
from typing import Any, TypeVar, TypeVarTuple
from urllib.parse import parse_qs

import socketio
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT
from socketio.packet import Packet as SocketPacket
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from chatbot.web.door import Rules
from chatbot.web.places import Connections
from chatbot.web.relay import Answer, Polled, Relay
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
LATER = {"Retry-After": "2"}
NO_ENGINE_IO = "This is for Socket.IO clients of version 4: they come with transport=polling or transport=websocket."
NO_PAYLOAD = "The body must be packets of Engine.IO 4."
NO_SESSION = "This session is over; begin a new one."

# As Engine.IO writes them: 2 ping, 3 pong, 4 a message, in which there is a packet of Socket.IO, 5 upgrade.
_CLOSE = "1"
_FRAME = re.compile("2probe|3|4[0-6].*|5", re.DOTALL)
_POLLED = re.compile("1|3|4[0-6].*", re.DOTALL)
_PLACE = "diego.place"
_RELAYED_HEADERS = ("host", "origin")
"""By which it is found out what a page of another site may read."""
_SEPARATOR = "\x1e"
_MOST_PACKETS = 16


class _OnlyErrors(logging.Filter):
    """Leaves out what clients do wrong; python-engineio logs that as an error, too, but without an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


_log = logging.getLogger(f"{__name__}.library")
_log.setLevel(logging.ERROR)
_log.addFilter(_OnlyErrors())


class ClientPacket(SocketPacket):  # type: ignore[misc]
    """A packet of Socket.IO; whatever a client sends can be read.

    What nobody asked for becomes an acknowledgement that nobody waits for, and what is no packet a goodbye.
    """

    def decode(self, encoded_packet: str) -> int:
        """Read it. No attachments are waited for: events that should have some are refused for what stands there."""
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

    def __init__(self, rules: Rules, connections: Connections, relay: Relay | None = None) -> None:
        self.server = socketio.AsyncServer(
            async_mode="asgi",
            async_handlers=False,  # one event of a client after the other: who sends too much waits
            serializer=ClientPacket,
            cors_allowed_origins=self._is_allowed,
            http_compression=False,
            max_http_buffer_size=MAX_BODY_BYTES,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            logger=_log,
            engineio_logger=_log,
        )
        self._rules = rules
        self._connections = connections
        self._relay = relay
        if relay:
            self.server.eio.generate_id = relay.new_id
        self._channels: set[Channel] = set()
        self._ending: set[str] = set()
        """The sessions that are about to end."""
        self._closing: set[asyncio.Task[None]] = set()
        self._draining = False
        handlers = self.server.eio.handlers
        self._begin, self._take, self._end = (handlers[event] for event in ("connect", "message", "disconnect"))
        handlers.update(connect=self._begin_session, message=self._take_packet, disconnect=self._end_session)

    async def polling(
        self, request: Request, about: Mapping[str, Any], headers: Mapping[str, str], place: ExitStack
    ) -> ASGIApp:
        """The answer to a request of a client that polls. Raises HTTPException.

        What is said here about the client stands in the scope that the handler of its connecting gets. If the request
        begins a session, that holds the place until it is over.
        """
        self._rules.check_origin(request.scope)
        sid = request.query_params.get("sid")
        if self._draining and not sid:
            raise HTTPException(503, RESTARTS, LATER)
        if not _speaks(request.query_params, "polling"):
            raise HTTPException(400, NO_ENGINE_IO)
        payload = readable_payload(await read_body(request))
        session = self._session(sid)
        if sid and not session:
            named = {name: value for name, value in request.headers.items() if name in _RELAYED_HEADERS}
            polled = Polled(request.method, request.url.scheme, request.url.query, named, payload.decode())
            answer = await self._relay.ask(sid, polled) if self._relay else None
            if answer is None:
                raise HTTPException(400, NO_SESSION)
            return Response(answer.body, answer.status, {**headers, **answer.headers})
        if not sid:
            visitors_place = self._connections.one_of(about["visitor"])
            await visitors_place.take()
            place.callback(visitors_place.give_back)
        held = place.pop_all()

        async def respond(scope: Scope, _receive: Receive, send: Send) -> None:
            async def send_with_headers(message: Message) -> None:
                await send(_with_headers(message, headers) if message.get("status") == 200 else message)

            with held:
                await self._respond({**scope, **about, _PLACE: held}, payload, send_with_headers, session)

        return respond

    async def web_socket(self, ws: WebSocket, about: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """Serve a WebSocket as long as it lasts; otherwise the same."""
        if self._draining or not _speaks(ws.query_params, "websocket"):
            status, sentence = (503, RESTARTS) if self._draining else (400, NO_ENGINE_IO)
            await ws.send_denial_response(JSONResponse({"error": sentence}, status, LATER if status == 503 else None))
            return
        channel = Channel(ws, headers, self._session)
        self._channels.add(channel)
        try:
            await self.server.handle_request({**ws.scope, **about}, channel.receive, channel.send)
        finally:
            self._channels.discard(channel)
            channel.untie()

    async def open(self) -> None:
        """Answer those clients, too, who poll at other processes."""
        if self._relay:
            await self._relay.open(self._answer_elsewhere)

    async def _answer_elsewhere(self, polled: Polled) -> Answer:
        """The answer to a request that came to another process."""
        session = self._session(parse_qs(polled.query)["sid"][0])
        if session is None:
            return Answer(400, {"Content-Type": "application/json"}, json.dumps({"error": NO_SESSION}))
        payload = polled.body.encode()
        headers = {**polled.headers, "content-length": str(len(payload))}
        scope = {
            "type": "http",
            "method": polled.method,
            "scheme": polled.scheme,
            "path": "/",
            "query_string": polled.query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await self._respond(scope, payload, send, session)
        start, *bodies = sent
        body = b"".join(message.get("body", b"") for message in bodies)
        return Answer(
            start["status"],
            {str(name, "latin-1"): str(value, "latin-1") for name, value in start["headers"]},
            body.decode(),
        )

    async def _respond(self, scope: Scope, payload: bytes, send: Send, session: Any) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": payload, "more_body": False}

        await self.server.handle_request(scope, receive, send)
        if session and session.closed:
            session.queue.put_nowait(None)  # so that another request of the client does not go on waiting

    async def send(self, sids: Iterable[str], packet: EnginePacket) -> None:
        """Send a packet to clients; one that has not taken what was sent before is cut off."""
        for number, sid in enumerate([*sids], 1):
            if session := self._session(self.server.manager.eio_sid_from_sid(sid, "/")):
                if session.queue.qsize() < MOST_WAITING:
                    await session.send(packet)  # which only puts it into the queue
                else:
                    await self._cut_off(session)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    def end(self, sid: str, code: int) -> None:
        """End a client's connection after what waits for it, a WebSocket with that code; nothing of it is taken now."""
        session = self._session(self.server.manager.eio_sid_from_sid(sid, "/"))
        if session is None or session.sid in self._ending:
            return
        self._ending.add(session.sid)
        for channel in self._channels:
            if channel.sid == session.sid:
                channel.code = code
        if session.upgraded:
            session.queue.put_nowait(None)  # after this the WebSocket is closed
        else:
            closing = asyncio.create_task(_end_polling(session))  # by itself, as it waits for the client
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def drain(self) -> None:
        """End all connections so that clients come back by themselves, after what waits for them, and take no more."""
        self._draining = True
        ending = {channel.serving for channel in self._channels}
        for channel in self._channels:
            channel.code = SERVICE_RESTART
        for session in self.server.eio.sockets.values():
            if session.upgraded:
                session.queue.put_nowait(None)  # after this the WebSocket is closed
            else:
                ending.add(asyncio.create_task(_end_polling(session)))
        if ending:
            await asyncio.wait(ending, timeout=CLOSE_SECONDS)
        for channel in self._channels:
            channel.end()

    async def close(self) -> None:
        """End what python-socketio does beside."""
        await self.server.shutdown()

    async def _cut_off(self, session: Any) -> None:
        await session.close(wait=False, abort=True)
        for channel in self._channels:
            if channel.sid == session.sid:
                channel.end()

    def _session(self, sid: str | None) -> Any:
        """Engine.IO's session of that id, None if there is none or it is over."""
        session = self.server.eio.sockets.get(sid)
        return session if session and not session.closed else None

    async def _begin_session(self, sid: str, environ: dict[str, Any]) -> None:
        await self._begin(sid, environ)
        if _PLACE in environ["asgi.scope"]:
            environ[_PLACE] = environ["asgi.scope"][_PLACE].pop_all()

    async def _take_packet(self, sid: str, packet: object) -> None:
        if self._session(sid) and sid not in self._ending:  # else python-socketio would begin it anew
            await self._take(sid, packet)

    async def _end_session(self, sid: str, reason: str) -> None:
        self._ending.discard(sid)
        if place := self.server.environ[sid].get(_PLACE):
            place.close()
        await self._end(sid, reason)

    def _is_allowed(self, origin: str, environ: Mapping[str, Any]) -> bool:
        return self._rules.allows_origin(origin, environ["asgi.scope"])


Args = TypeVarTuple("Args")
T = TypeVar("T")
_LEFT: Message = {"type": "websocket.disconnect"}


class Channel:
    """The frames of a WebSocket, which ends when it is to, although its client takes nothing.

    `sid` is that of its session, which `session` finds; until there is one it is None.
    """

    def __init__(self, ws: WebSocket, headers: Mapping[str, str], session: Callable[[str | None], Any]) -> None:
        self.sid: str | None = ws.query_params.get("sid")
        self.serving = _current_task()
        self._ws = ws
        self._headers = headers
        self._session = session
        self._waiting: set[asyncio.Task[Any]] = set()
        self._reading: asyncio.Task[Any] | None = None
        self._ended = False
        self.code = 1000
        """What it is closed with."""

    async def receive(self) -> Message:
        """The next frame; one that is no packet ends the connection, as does one when the session is over."""
        self._reading = _current_task()
        try:
            message = await self._until_ended(self._ws.receive)
            while message.get("bytes") is not None:  # an attachment
                message = await self._until_ended(self._ws.receive)
        except WebSocketDisconnect:
            return _LEFT
        text = message.get("text")
        if text is not None and text != _CLOSE and not _FRAME.fullmatch(text):
            self.code = UNSUPPORTED_DATA
        over = message["type"] == "websocket.receive" and self.sid and not self._session(self.sid)
        return _LEFT if over or text == _CLOSE or self.code == UNSUPPORTED_DATA else message

    async def send(self, message: Message) -> None:
        """Send a frame. Raises WebSocketDisconnect if the client has left or the connection has ended."""
        if message["type"] == "websocket.accept":
            message = _with_headers(message, self._headers)
        elif message["type"] == "websocket.close":
            message["code"] = self.code
        elif self.sid is None:
            self.sid = json.loads(message["text"][1:])["sid"]  # of the packet "open", which is the first
        await self._until_ended(self._ws.send, message)

    def end(self) -> None:
        """End it without a word to the client."""
        self._ended = True
        for task in self._waiting:
            task.cancel()

    def untie(self) -> None:
        """To be called at the end: let the connection go without waiting for the garbage collector.

        python-engineio reads each frame in a task of its own. When there are no more, the task's error holds, by its
        traceback, the frame of whoever awaits the task, which holds the task. And it makes a class for each connection,
        which, as every class, holds itself, and `receive`.
        """
        task, self._reading = self._reading, None
        if task and task.done() and not task.cancelled() and (error := task.exception()):
            error.__traceback__ = None
        del self._ws, self.serving

    async def _until_ended(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        task = _current_task()
        self._waiting.add(task)
        try:
            if self._ended:
                raise WebSocketDisconnect
            return await function(*args)
        except asyncio.CancelledError:
            if not self._ended:
                raise
            task.uncancel()
            raise WebSocketDisconnect from None
        finally:
            self._waiting.discard(task)


async def _end_polling(session: Any) -> None:
    # What comes in the same answer as the close is lost: socket.io-client hands it on later, and so not at all.
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS / 2):
            await session.queue.join()
    await session.close(wait=False)


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


def readable_payload(body: bytes) -> bytes:
    """What a client that polls has sent, without what is not looked at. Raises HTTPException."""
    try:
        packets = body.decode().split(_SEPARATOR) if body else []
    except UnicodeDecodeError:
        raise HTTPException(400, NO_PAYLOAD) from None
    # Attachments are in Base64 behind a b.
    packets = [packet for packet in packets if not packet.startswith("b")]
    packets = [*takewhile(lambda packet: packet != _CLOSE, packets), *([_CLOSE] if _CLOSE in packets else ())]
    if len(packets) > _MOST_PACKETS or not all(map(_POLLED.fullmatch, packets)):
        raise HTTPException(400, NO_PAYLOAD)
    return _SEPARATOR.join(packets).encode()
