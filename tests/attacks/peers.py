"""Peers that know TCP and no manners, and what a server is to be like afterwards."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.bystanders import bystander
from tests.processes import SECONDS, Server, wait_for
from tests.tabs import HANDSHAKE

MOST_GROWTH = 20 << 20
MOST_LINES = 100
"""How much larger the server's memory may be afterwards, and how much it may have logged, what was asked for aside."""

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /client-count HTTP/1.1\r\n" + HOST + b"\r\n"
EMPTY_TEXT, EMPTY_START, EMPTY_CONT, PING, PONG = (
    bytes([first_byte, 0x80, 0, 0, 0, 0]) for first_byte in (0x81, 0x01, 0x00, 0x89, 0x8A)
)


@contextmanager
def unharmed(server: Server, *, most_growth: int = MOST_GROWTH, most_lines: int = MOST_LINES) -> Iterator[None]:
    """Whatever happens in the block, somebody chats on, and the server gets rid of all of it and complains of nothing.

    Connections, memory and log are looked at.
    """
    process = psutil.Process(server.process.pid)
    with bystander(server):
        wait_for(lambda: server.count() == 1)
        memory, logged = process.memory_info().rss, len(server.log)
        yield
        wait_for(lambda: len(process.net_connections("tcp")) == 2, server)  # it listens, and somebody chats
        wait_for(lambda: server.count() == 1, server)
        growth = process.memory_info().rss - memory
        assert growth <= most_growth, f"It has grown by {growth / 1e6:.0f} MB."
    lines = [line for line in server.log[logged:].splitlines() if "/client-count" not in line]
    assert [line for line in lines if not line.startswith("INFO: ")] == []
    assert len(lines) <= most_lines


def connected(server: Server, receive_buffer: int = 0) -> socket.socket:
    """A connection on which nothing was said yet; so much of what it does not read is in its system's buffer."""
    client = socket.socket()
    client.settimeout(SECONDS)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect(("127.0.0.1", server.port))
    return client


def accepted(server: Server, handshake: bytes = HANDSHAKE, receive_buffer: int = 0) -> socket.socket:
    """A WebSocket."""
    client = connected(server, receive_buffer)
    client.sendall(handshake)
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    return client


def send_until_answered(client: socket.socket, data: bytes) -> None:
    """Send it as fast as it is taken, but no more once something has come back or the connection has ended."""
    client.settimeout(0)
    unsent = memoryview(data)
    with suppress(ConnectionError):
        while unsent:
            readable, writable, _ = select.select([client], [client], [], SECONDS)
            assert readable or writable, "nothing is taken"
            if readable:
                break
            unsent = unsent[client.send(unsent[:65536]) :]
    client.settimeout(SECONDS)


def flood(client: socket.socket, data: bytes, *, reads: bool) -> bytes:
    """Send it as fast as it is taken, until the connection has ended; what came back, if the client reads."""
    client.settimeout(0)
    unsent, received = memoryview(data), bytearray()
    with suppress(ConnectionError):
        while unsent:
            readable, writable, _ = select.select([client] if reads else [], [client], [], SECONDS)
            assert readable or writable, "nothing is taken"
            if readable:
                if not (came := client.recv(65536)):
                    break
                received += came
            if writable:
                unsent = unsent[client.send(unsent[:65536]) :]
    client.settimeout(SECONDS)
    return bytes(received)


def rest(client: socket.socket) -> bytes:
    """What comes until the connection has ended."""
    received = b""
    with suppress(ConnectionError):
        while came := client.recv(65536):
            received += came
    return received


def response(client: socket.socket, request: bytes) -> bytes:
    """What comes for a request, or for what is none, until the connection has ended."""
    with suppress(ConnectionError):
        client.sendall(request)
    return rest(client)


def frames(received: bytes) -> list[tuple[int, bytes]]:
    """The opcodes and payloads of a server's frames."""
    found = []
    while len(received) >= 2:
        length, start = received[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(received[2:start])
        found.append((received[0] & 0x0F, received[start : start + length]))
        received = received[start + length :]
    return found


def close_code(received: bytes) -> int:
    """What the server closed with."""
    opcode, payload = frames(received)[-1]
    assert opcode == 8
    return int.from_bytes(payload[:2])
