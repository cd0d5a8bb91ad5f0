"""Uvicorn's WebSocket protocol, with what we want otherwise."""

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

INVALID_DATA = 1007


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Takes lone surrogates out of text frames, where uvicorn closes; other bytes that are not UTF-8 close with 1007.

    Some clients encode half an emoji, cut by their own length limit, as the three bytes of a surrogate.
    """

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
        """Take a message from the app."""
        await super().send(message)
        if self.close_sent:
            # Uvicorn holds a handshake that the app denied with a response for one that it forgot, and logs an error.
            self.handshake_complete = True
