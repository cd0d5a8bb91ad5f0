"""Tabs of a visitor: clients of a real server with a cookie and the JSON subprotocol."""

import json
import socket
import uuid
from typing import Any

from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from chatbot.web.wire import JSON
from tests.processes import SECONDS, Server

Fields = dict[str, Any]

HANDSHAKE = (
    b"GET /conversation HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def raw_client(server: Server, *headers: str) -> socket.socket:
    """A client without a library, which may read and leave as badly as it likes."""
    host, port = server.address.split(":")
    client = socket.create_connection((host, int(port)), timeout=30)
    client.sendall(HANDSHAKE.replace(b"Host: localhost", "\r\n".join(["Host: localhost", *headers]).encode()))
    assert b" 101 " in client.recv(4096)
    return client


def frame(text: str, first_byte: int = 0x81) -> bytes:
    """A short frame of a client, masked with zeros."""
    return bytes([first_byte, 0x80 | len(text)]) + bytes(4) + text.encode()


def new_cookie(server: Server) -> str:
    """The cookie of a new visitor, as a browser brings it."""
    return server.get("/").headers["set-cookie"].partition(";")[0]


def open_plain_tab(server: Server, cookie: str) -> ClientConnection:
    """A tab that speaks plain text."""
    return server.connect(additional_headers={"Cookie": cookie})


def open_tab(server: Server, cookie: str, query: str = "", **options: Any) -> ClientConnection:
    """A tab that speaks JSON."""
    return server.connect(query, additional_headers={"Cookie": cookie}, subprotocols=[Subprotocol(JSON)], **options)


def send(tab: ClientConnection, **fields: Any) -> None:
    """Send a frame."""
    tab.send(json.dumps(fields))


def receive(tab: ClientConnection) -> Fields:
    """The next frame."""
    frame: Fields = json.loads(tab.recv(timeout=SECONDS))
    return frame


def say(tab: ClientConnection, text: str) -> str:
    """Send a message; its id."""
    message_id = str(uuid.uuid4())
    send(tab, type="message", text=text, id=message_id)
    return message_id


def until_reply(tab: ClientConnection, message_id: str) -> list[Fields]:
    """What comes up to the reply to a message, or to the error in its place."""
    frames = [receive(tab)]
    while not (frames[-1]["type"] in ("reply", "error") and frames[-1]["id"] == message_id):
        frames.append(receive(tab))
    return frames


def ask(tab: ClientConnection, text: str) -> Fields:
    """The reply to a message."""
    return until_reply(tab, say(tab, text))[-1]


def history(server: Server, cookie: str, query: str = "") -> list[Fields]:
    """The visitor's turns, as they are told over HTTP."""
    turns: list[Fields] = server.get(f"/conversation/history{query}", Cookie=cookie).json()["turns"]
    return turns
