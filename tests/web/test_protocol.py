import asyncio
import json
import socket
import time
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed

from chatbot.web import protocol
from chatbot.web.protocol import CutsOff
from tests.processes import SECONDS, Server, read_response, wait_for
from tests.scale import only_one_process

pytestmark = pytest.mark.server


def test_a_character_that_is_cut_in_two_fragments_is_whole(server: Server) -> None:
    with server.connect() as client:
        client.send(iter([b"caf\xc3", b"\xa9"]), text=True)
        assert client.recv(timeout=30) == "café"


def test_a_surrogate_cut_in_two_fragments_is_taken_out(server: Server) -> None:
    with server.connect() as client:
        client.send(iter([b"H\xed\xa0", b"\xbdi"]), text=True)
        assert client.recv(timeout=30) == "Hi"


@only_one_process  # nginx has its own limits
@pytest.mark.parametrize("extra", [b"X: " + b"x" * 9000 + b"\r\n\r\n", b"Content-Length: 3\r\n\r\nabc"])
def test_a_handshake_that_cannot_be_read_is_refused_and_keeps_nobody(own_server: Server, extra: bytes) -> None:
    with socket.create_connection(("127.0.0.1", own_server.port), timeout=30) as client:
        client.sendall(
            b"GET /conversation HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + extra
        )
        status, body = read_response(client)
        assert status == "400 Bad Request"
        assert json.loads(body)["error"].startswith("This is no WebSocket handshake: ")
        assert own_server.stop() == 0
    assert "Traceback" not in own_server.log


def test_a_binary_frame_need_not_be_utf_8(server: Server) -> None:
    with server.connect() as client:
        client.send(b"\xff")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


def test_messages_before_the_one_that_closes_are_no_error(server: Server) -> None:
    with server.connect() as client:
        for _ in range(100):
            client.send("")
        client.send("x" * 20_000)
        with pytest.raises(ConnectionClosed) as closed:
            sum(1 for _ in iter(lambda: client.recv(timeout=30), None))
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    wait_for(lambda: server.count() == 0)
    assert "Traceback" not in server.log


def test_bytes_that_are_not_utf_8_close_with_1007_and_no_traceback(server: Server) -> None:
    with server.connect() as client:
        client.send(b"\xff", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1007, "A text frame must be UTF-8.")
    assert "Traceback" not in server.log


class Transport(asyncio.Transport):
    """One that holds so many bytes which the client has not taken."""

    def __init__(self, waiting: int) -> None:
        super().__init__()
        self.aborted = asyncio.Event()
        self._waiting = waiting

    def get_write_buffer_size(self) -> int:
        return self._waiting

    def abort(self) -> None:
        self.aborted.set()


def cutting_off(monkeypatch: pytest.MonkeyPatch, waiting: int) -> tuple[CutsOff, Transport]:
    """A protocol that is patient for 0.1 s, and 0.1 s more for each 64 KiB."""
    monkeypatch.setattr(protocol, "TAKE_SECONDS", 0.1)
    monkeypatch.setattr(protocol, "TAKE_BYTES", 10 * 64 * 1024)
    made = CutsOff()
    made.loop, made.transport = asyncio.get_running_loop(), Transport(waiting)
    return made, made.transport


@pytest.mark.anyio
@pytest.mark.parametrize(("waiting", "seconds"), [(0, 0.1), (2 * 64 * 1024, 0.3)])
async def test_who_takes_too_little_is_cut_off_in_the_end(
    monkeypatch: pytest.MonkeyPatch, waiting: int, seconds: float
) -> None:
    made, transport = cutting_off(monkeypatch, waiting)
    begun = time.monotonic()
    made.pause_writing()
    async with asyncio.timeout(SECONDS):
        await transport.aborted.wait()
    assert time.monotonic() - begun >= seconds - 0.01


@pytest.mark.anyio
@pytest.mark.parametrize("end", [CutsOff.resume_writing, lambda made: made.connection_lost(None)])
async def test_who_has_taken_it_or_left_is_not_cut_off(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[CutsOff], None]
) -> None:
    made, transport = cutting_off(monkeypatch, 0)
    made.pause_writing()
    end(made)
    await asyncio.sleep(0.2)
    assert not transport.aborted.is_set()
