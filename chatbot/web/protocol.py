"""Uvicorn's WebSocket protocol, with what we want otherwise."""

import json

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

INVALID_DATA = 1007
LINGER_SECONDS = 1.0


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Closes so that the client learns why, and takes lone surrogates out of text frames.

    Some clients encode half an emoji, cut by their own length limit, as the three bytes of a surrogate. Other bytes
    that are not UTF-8 close with 1007.
    """

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client; refuse a handshake that cannot be read, which uvicorn overlooks."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not (self.handshake_initiated or self.close_sent):
            self._refuse_handshake()

    def _refuse_handshake(self) -> None:
        body = json.dumps({"error": f"This is no WebSocket handshake: {self.conn.handshake_exc}."}).encode()
        head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)
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

    def send_receive_event_to_app(self) -> None:
        """Hand a complete message to the app."""
        if self.curr_msg_data_type == "text":
            data = b"".join(self.frames)
            try:
                self.frames = [data.decode("utf-8", "surrogatepass").encode("utf-8", "ignore")]
            except UnicodeDecodeError:
                self.conn.fail(INVALID_DATA, "A text frame must be UTF-8.")
                self.handle_parser_exception()
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
