"""Uvicorn's protocols, with what we want otherwise: peers may be slow, greedy or hostile."""

import asyncio
import json
import logging
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

POLICY_VIOLATION = 1008
INVALID_DATA = 1007
LINGER_SECONDS = 1.0

HEAD_SECONDS = 10.0
"""How long the head of a request may take, from the connection or the response before it on."""

MOST_HEAD_BYTES = 32 * 1024
"""How much may come without a complete head or a piece of a body: of heads, trailers and extensions of chunks."""

MOST_WAITING = 1000
"""How many connections may be without a request at a time; the oldest is closed when one more comes."""

MOST_PIPELINED = 16
"""How many requests of a connection wait for the responses before theirs."""

TAKE_SECONDS = 10.0
TAKE_BYTES = 64 * 1024
"""What is written must be taken within so many seconds, and one more for each so many bytes of it."""

MOST_CONTROL_FRAMES = 256
"""How many pings and pongs a client may send within a second."""

MOST_FRAGMENTS = 256
"""Of how many frames a message may be."""

TOO_SLOW = f"The head of a request must arrive within {HEAD_SECONDS:.0f} s."
TOO_LARGE = f"The head of a request may have up to {MOST_HEAD_BYTES // 1024} KiB."
NO_REQUEST = "This is no HTTP request that can be read."

_log = logging.getLogger(f"{__name__}.library")
# What clients do wrong is a warning to uvicorn, which names neither them nor what it was.
_log.addFilter(lambda record: record.levelno >= logging.ERROR)


class CutsOff(asyncio.Protocol):
    """Cuts off a client that takes too long for what is written to it.

    What is below the transport's high-water mark, 64 KiB and under TLS 512, does not count; that the kernel gives up a
    client who takes nothing at all is set in `chatbot.web.server`.
    """

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _cutting_off: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Begin to wait until the client has taken what is written."""
        super().pause_writing()
        seconds = TAKE_SECONDS + self.transport.get_write_buffer_size() / TAKE_BYTES
        self._cutting_off = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client has taken it."""
        super().resume_writing()
        self._wait_no_longer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the client has left."""
        super().connection_lost(exc)
        self._wait_no_longer()

    def _wait_no_longer(self) -> None:
        if self._cutting_off:
            self._cutting_off.cancel()
            self._cutting_off = None


def refusal(status: int, sentence: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    """A response to what is no request, after which the connection is closed."""
    body = json.dumps({"error": sentence}).encode()
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(),
        b"Content-Type: application/json",
        f"Content-Length: {len(body)}".encode(),
        b"Connection: close",
        *(name + b": " + value for name, value in headers),
    ]
    return b"\r\n".join([*lines, b"", body])


class HTTPProtocol(CutsOff, HttpToolsProtocol):
    """Waits neither for ever nor for too many connections for a request, and reads no more of it than it may have."""

    _waiting: ClassVar[dict["HTTPProtocol", asyncio.TimerHandle]] = {}
    """The connections that no request is under way on, the oldest first, and what will close them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = _log
        self._unused = 0
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's signature
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client, but not for ever without what can be used."""
        if self._refused:
            return
        self._unused += len(data)
        super().data_received(data)
        if self._unused > MOST_HEAD_BYTES and not self._refused:
            self._refuse(431, TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin with the request. Raises what makes the parser refuse it if too many wait already."""
        self._stop_waiting()
        self._unused = 0
        super().on_headers_complete()
        if len(self.pipeline) > MOST_PIPELINED:
            raise OverflowError

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unused = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, whose beginning may be there already, or the end of this one not."""
        pipelined = bool(self.pipeline)
        super().on_response_complete()
        if not pipelined and not self.transport.is_closing():
            self._wait()

    def handle_websocket_upgrade(self) -> None:
        """Go on as a WebSocket, unless a response is under way, whose end would come in the midst of frames."""
        if self._is_answering() or self.flow.write_paused:
            self.transport.abort()
        else:
            super().handle_websocket_upgrade()
            # They hold each other, and would wait for the garbage collector.
            self.parser = None  # type: ignore[assignment]

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse what cannot be read."""
        self._refuse(400, NO_REQUEST)

    def _refuse(self, status: int, sentence: str) -> None:
        """Close so that the client learns why, unless a response is under way."""
        self._refused = True
        if self._is_answering():
            self.transport.abort()
            return
        self.transport.write(refusal(status, sentence, self.server_state.default_headers))
        self._wait(LINGER_SECONDS)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float | None = None) -> None:
        """Close if no request comes in time; at once if this is the oldest of too many connections."""
        self._stop_waiting()
        self._waiting[self] = self.loop.call_later(HEAD_SECONDS if seconds is None else seconds, self.give_up)
        if len(self._waiting) > MOST_WAITING:
            next(iter(self._waiting)).give_up()

    def _stop_waiting(self) -> None:
        if closing := self._waiting.pop(self, None):
            closing.cancel()

    def give_up(self) -> None:
        """Close, as no request has come."""
        self._stop_waiting()
        if self._unused and not self._refused:
            self.transport.write(refusal(408, TOO_SLOW, self.server_state.default_headers))
        self.transport.close()


class WebSocketProtocol(CutsOff, WebSocketsSansIOProtocol):
    """Closes so that the client learns why, and takes lone surrogates out of text frames.

    Some clients encode half an emoji, cut by their own length limit, as the three bytes of a surrogate. Other bytes
    that are not UTF-8 close with 1007.
    """

    _counted_since = float("-inf")
    _control_frames = 0

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client; refuse a handshake that cannot be read, which uvicorn overlooks."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not (self.handshake_initiated or self.close_sent):
            self._refuse_handshake()

    def _refuse_handshake(self) -> None:
        sentence = f"This is no WebSocket handshake: {self.conn.handshake_exc}."
        self.transport.write(refusal(400, sentence, self.default_headers))
        self.close_sent = self.handshake_complete = True
        self._close_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what reads frames: it and the connection hold each other, and would wait for the garbage collector."""
        super().connection_lost(exc)
        self.conn.parser.close()

    def handle_parser_exception(self) -> None:
        """Close because of what the client sent."""
        if self.close_sent:
            return
        close = self.conn.close_sent
        assert close is not None, "the connection was failed with a code"
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._close_soon()

    def _close_soon(self) -> None:
        # At once, with bytes of the client unread, TCP would reset the connection and the client not learn why.
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def keepalive_timeout(self) -> None:
        """Cut off a client that does not answer: it may have gone without a word, and then takes no goodbye either."""
        super().keepalive_timeout()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def handle_ping(self) -> None:
        """Answer a ping, if there are not too many."""
        super().handle_ping()
        self._count_control_frame()

    def handle_pong(self, event: Frame) -> None:
        """Take a pong, asked for or not, if there are not too many."""
        super().handle_pong(event)
        self._count_control_frame()

    def _count_control_frame(self) -> None:
        now = self.loop.time()
        if now - self._counted_since > 1:
            self._counted_since, self._control_frames = now, 0
        self._control_frames += 1
        if self._control_frames > MOST_CONTROL_FRAMES:
            self._refuse_flood(f"Up to {MOST_CONTROL_FRAMES} pings and pongs a second are taken.")

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment of a message, which may be empty, if there are not too many."""
        if len(self.frames) < MOST_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._refuse_flood(f"A message may be in up to {MOST_FRAGMENTS} frames.")

    def _refuse_flood(self, reason: str) -> None:
        self._fail(POLICY_VIOLATION, reason)
        self.transport.pause_reading()  # to read and drop the rest of it for a second is work, too

    def _fail(self, code: int, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        """Hand a complete message to the app."""
        if self.curr_msg_data_type == "text":
            data = b"".join(self.frames)
            try:
                self.frames = [data.decode("utf-8", "surrogatepass").encode("utf-8", "ignore")]
            except UnicodeDecodeError:
                self._fail(INVALID_DATA, "A text frame must be UTF-8.")
                return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        """Take a message from the app. Raises ClientDisconnected, where uvicorn sees a mistake, if we have closed."""
        if self.close_sent and message["type"] == "websocket.send":
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.accept":
            # Nobody looks at them again, and they are kept as long as the connection.
            self.request.headers.clear()
            self.response.headers.clear()
        if self.close_sent:
            # Uvicorn holds a handshake that the app denied with a response for one that it forgot, and logs an error.
            self.handshake_complete = True
