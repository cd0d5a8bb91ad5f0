"""The connection to the room, and what is said over it."""

import asyncio
import logging
import time
import uuid
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

from aiohttp import (
    ClientError,
    ClientSession,
    CookieJar,
    TraceConfig,
    TraceRequestEndParams,
    WSServerHandshakeError,
)
from socketio import AsyncClient
from socketio.exceptions import SocketIOError
from yarl import URL

from chatbot.terminal.connecting import (
    CONNECT_SECONDS,
    DENIALS,
    LATER,
    Refused,
    reconnect,
    refused,
    unreachable,
    until_first,
    wait_as_told,
)
from chatbot.terminal.lines import Lines, sendable
from chatbot.terminal.screen import printable
from chatbot.terminal.visitor import Visitor
from chatbot.terminal.wire import Acknowledgement

ACKNOWLEDGE_SECONDS = 30.0
LASTING_SECONDS = 15.0  # a connection that lasts as long counts as one that works
MAX_DENIAL_BYTES = 4096
TYPING_SECONDS = 2.0  # between two times that the others are told

# What goes wrong with a connection is told in a sentence.
_LOGGER = logging.getLogger(__name__)
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.propagate = False

Events = asyncio.Queue[tuple[str, object]]
"""What the server sends, in order. Besides, `refused` tells of what was not acknowledged, `lost` of a lost connection,
`unwelcome` that there is no new one because the server does not let this person in, and `later` that it has too much
to do, so that a message is said again."""


class Connection:
    """A visitor's Socket.IO connection to the room; what comes is put into a queue.

    If nobody takes it out, the connection ends: whoever comes back is told what was said last. So it does if something
    comes that is not Socket.IO.
    """

    def __init__(self, visitor: Visitor, events: Events) -> None:
        self._visitor = visitor
        self._events = events
        answers = TraceConfig()
        answers.on_request_end.append(self._hear_denial)
        cookies = CookieJar(unsafe=True)  # also those of an IP address
        self._http = ClientSession(cookie_jar=cookies, trust_env=True, trace_configs=[answers])
        self._client = AsyncClient(
            reconnection=False,
            handle_sigint=False,
            http_session=self._http,
            websocket_extra_options={"headers": {"Cookie": cookie} if (cookie := visitor.cookie()) else {}},
            logger=_LOGGER,
            engineio_logger=_LOGGER,
        )
        self._client.on("*", self._receive)
        self._client.on("connect_error", self._hear_refusal)
        self._handle = self._client.eio.handlers["message"]
        self._client.eio.on("message", self._handle_packet)
        self._refusal = ""
        self._denial: Refused | None = None

    async def open(self, name: str) -> None:
        """Enter the room by that name, or by one that the server gives. Raises Unreachable, and Refused."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._client.connect(
                    self._visitor.url,
                    auth={"name": name} if name else None,
                    transports=["websocket"],
                    socketio_path=urlsplit(urljoin(self._visitor.url, "sio/socket.io")).path,
                    wait_timeout=CONNECT_SECONDS,
                )
        except (OSError, ClientError, SocketIOError, ValueError, LookupError, TypeError) as error:
            if self._refusal:
                raise Refused(f"{self._refusal} (python client.py --room --as NAME)") from None
            raise self._denial or unreachable(self._visitor.url, _reason(error)) from None
        finally:
            if not self._client.connected:
                await self.close()
        cookies = self._http.cookie_jar.filter_cookies(URL(self._visitor.url))
        self._visitor.keep([f"{cookie.key}={cookie.value}" for cookie in cookies.values()])

    async def say(self, said: dict[str, str]) -> Acknowledgement:
        """Say something. Raises SocketIOError if nothing comes back."""
        answer = await self._client.call("message", said, timeout=ACKNOWLEDGE_SECONDS)
        return Acknowledgement.read(answer)

    async def tell_typing(self) -> None:
        """Let the others know that something is being typed. Raises SocketIOError."""
        await self._client.emit("typing")

    async def ended(self) -> None:
        """Wait until the connection is lost."""
        await asyncio.shield(self._client.eio.wait())  # the library would end its reading with this waiting

    async def close(self) -> None:
        """End it."""
        await self._client.disconnect()
        await self._http.close()

    async def _handle_packet(self, packet: str | bytes) -> None:
        try:
            await self._handle(packet)
        except Exception:  # noqa: BLE001 - the library looks at little before it uses it, and nobody catches this
            await self._client.disconnect()

    def _receive(self, event: str, *data: object) -> None:
        if event != "refused":  # the acknowledgement says so, too
            self._events.put_nowait((event, data[0] if data else None))

    def _hear_refusal(self, reason: object) -> None:
        if isinstance(reason, dict):  # else it is the library's, and nobody was asked
            self._refusal = printable(str(reason.get("message")))

    async def _hear_denial(self, _session: ClientSession, _context: object, asked: TraceRequestEndParams) -> None:
        if asked.response.status in DENIALS:  # the library looks no further than that
            answer = asked.response
            self._denial = refused(answer.status, answer.headers, await answer.content.read(MAX_DENIAL_BYTES))


def _reason(error: Exception) -> Exception:
    """What is behind the library's error."""
    while isinstance(behind := error.__cause__ or error.__context__, Exception):
        error = behind
    if isinstance(error, WSServerHandshakeError):
        return ValueError(f"server rejected WebSocket connection: HTTP {error.status}")
    if isinstance(error, LookupError | TypeError | ValueError) and not isinstance(
        error, UnicodeError | ClientError | OSError
    ):
        return ValueError("what answers there is no room")
    return error


class Speaker:
    """Says lines in the room, in order and each once, over as many connections as it takes."""

    def __init__(self, visitor: Visitor, name: str, lines: Lines, events: Events) -> None:
        self._visitor = visitor
        self._name = name
        self._lines = lines
        self._events = events
        self._unsaid: dict[str, str] | None = None  # said, perhaps, but not acknowledged
        self._finished = False
        self._putting_off = False
        self.typing = asyncio.Event()  # set when something is being typed

    @property
    def waiting(self) -> int:
        """How many lines are still to be said."""
        return self._lines.qsize() + (self._unsaid is not None)

    async def connect(self) -> Connection:
        """A connection. Raises Unreachable."""
        connection = Connection(self._visitor, self._events)
        await connection.open(self._name)
        return connection

    async def speak(self, connection: Connection) -> None:
        """Say all lines; return when the events that came with that are taken out, too."""
        losses = 0
        came = time.monotonic()
        while not await self._use(connection):
            await self._events.put(("lost", None))
            losses = losses + 1 if time.monotonic() - came < LASTING_SECONDS else 0
            connection = await reconnect(self.connect, losses, self._tell_refusal)
            came = time.monotonic()
        await self._events.join()

    async def _use(self, connection: Connection) -> bool:
        """Say lines until the connection is lost. Whether those were all."""
        try:
            with suppress(SocketIOError):  # lost meanwhile
                await until_first(connection.ended(), self._tell_typing(connection), self._say(connection))
        finally:
            await connection.close()
        return self._finished

    async def _say(self, connection: Connection) -> None:
        while not self._finished:
            if self._unsaid is None:
                line = await self._lines.get()
                if line is None:
                    self._finished = True
                    return
                # With the same id it can be said again without being there twice.
                self._unsaid = {"text": sendable(line), "id": str(uuid.uuid4())}
            answer = await connection.say(self._unsaid)
            put_off = False
            while answer.retry_after is not None:
                put_off = True
                await self._put_off(answer.retry_after)
                answer = await connection.say(self._unsaid)
            if answer.error is not None:
                await self._events.put(("refused", {"text": answer.error}))
            self._unsaid = None
            self._putting_off = put_off

    async def _put_off(self, seconds: float) -> None:
        if not self._putting_off:  # else it was told for the line before
            self._putting_off = True
            await self._events.put(("later", {"text": LATER}))
        await wait_as_told(seconds)

    async def _tell_refusal(self, sentence: str) -> None:
        await self._events.put(("unwelcome", {"text": sentence}))

    async def _tell_typing(self, connection: Connection) -> None:
        while True:
            self.typing.clear()
            await self.typing.wait()
            await connection.tell_typing()
            await asyncio.sleep(TYPING_SECONDS)
