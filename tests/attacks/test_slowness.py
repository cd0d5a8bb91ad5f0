"""Peers that take their time, and would take ours."""

import socket
import time
from contextlib import ExitStack, suppress
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.attacks.peers import GET, HOST, MOST_GROWTH, accepted, connected, rest, unharmed
from tests.processes import SECONDS, STAND_IN, Server, read_response, serving, wait_for
from tests.scale import only_one_process
from tests.tabs import HANDSHAKE, frame, new_cookie, open_plain_tab

pytestmark = [pytest.mark.server, only_one_process]

MUCH = 12_000_000
"""More bytes than the systems buffer between two sockets."""

PING_SECONDS = 40
"""After so long without a pong a client is gone anyway."""

MANY = 2000
PATIENT = f"from chatbot.web import protocol; protocol.HEAD_SECONDS = 1000; {STAND_IN[1]}"


def drip(client: socket.socket, data: bytes) -> bytes:
    """Send a byte every 50 ms, for half a minute at most, until something comes back; what came."""
    client.settimeout(0.05)
    for byte in islice(cycle(data), 600):
        client.send(bytes([byte]))
        with suppress(TimeoutError):
            return client.recv(4096)
    raise AssertionError("The server still listens.")


def test_who_says_nothing_is_sent_away(hasty_server: Server) -> None:
    with unharmed(hasty_server), connected(hasty_server) as client:
        assert rest(client) == b""


@pytest.mark.parametrize("head", [HANDSHAKE[:-2] + b"X: " + b"x" * 600, b"GET /" + b"x" * 600])
def test_a_head_that_drips_is_read_for_so_long_and_no_longer(hasty_server: Server, head: bytes) -> None:
    with unharmed(hasty_server), connected(hasty_server) as client:
        assert drip(client, head).startswith(b"HTTP/1.1 408 ")


def test_a_connection_is_not_kept_alive_by_dripping(hasty_server: Server) -> None:
    with unharmed(hasty_server), connected(hasty_server) as client:
        client.sendall(GET)
        assert read_response(client)[0] == "200 OK"
        assert drip(client, b"GET /" + b"x" * 600).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_nobody_waits_for_does_not_drip_for_ever(hasty_server: Server) -> None:
    with unharmed(hasty_server), connected(hasty_server) as client:
        client.sendall(GET[:-2] + b"Content-Length: 1000000000000\r\n\r\n")
        assert read_response(client)[0] == "200 OK"
        assert drip(client, b"x") == b""


def test_silent_connections_make_room_for_new_ones(tmp_path: Path) -> None:
    with serving(tmp_path, "-c", PATIENT) as server, unharmed(server), ExitStack() as silent:
        clients = [silent.enter_context(connected(server)) for _ in range(MANY)]
        with server.connect() as friend:
            friend.send("Hi")
            assert friend.recv(timeout=SECONDS) == "Hi"
        for client in clients[: MANY // 2]:
            assert client.recv(1) == b""
        clients[-1].sendall(GET)
        assert clients[-1].recv(4096).startswith(b"HTTP/1.1 200 ")


def test_who_does_not_take_long_replies_is_cut_off(hasty_server: Server) -> None:
    # More than the system's buffers take, but no more than a disk writes at once: others' turns wait for that.
    length = MUCH // 12
    growth = MOST_GROWTH + 3 * 5 * length  # three replies, each of which is there as text, bytes and a row, and copied
    with unharmed(hasty_server, most_growth=growth), ExitStack() as deaf:
        for _ in range(3):
            client = deaf.enter_context(accepted(hasty_server, receive_buffer=4096))
            client.sendall(frame(f"long {length}"))
        wait_for(lambda: hasty_server.count() == 4)
        wait_for(lambda: hasty_server.count() == 1)


def test_who_takes_a_little_now_and_then_is_cut_off(hasty_server: Server) -> None:
    with connected(hasty_server, receive_buffer=100_000) as client:
        client.sendall(HANDSHAKE)
        assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
        client.sendall(frame(f"long {MUCH}"))
        received = 0
        with suppress(ConnectionError):
            while piece := client.recv(16 * 1024):
                received += len(piece)
                time.sleep(0.1)  # that is its attack
    assert received < MUCH


def test_who_takes_nothing_is_cut_off_though_it_is_not_much(hasty_server: Server) -> None:
    with unharmed(hasty_server), accepted(hasty_server, receive_buffer=4096) as client:
        client.sendall(frame("long 50000"))
        started = time.monotonic()
        wait_for(lambda: hasty_server.count() == 1)
        assert time.monotonic() - started < PING_SECONDS


def test_an_export_that_is_not_taken_is_dropped_and_one_that_is_taken_slowly_is_not(hasty_server: Server) -> None:
    cookie = new_cookie(hasty_server)
    with open_plain_tab(hasty_server, cookie) as tab:
        for _ in range(100):
            tab.send(f"long {MUCH // 100}")
            tab.recv(timeout=SECONDS)
    export = b"GET /conversation/export HTTP/1.1\r\nCookie: %s\r\n" % cookie.encode() + HOST
    with (
        unharmed(hasty_server, most_growth=10 * MUCH),
        connected(hasty_server) as deaf,
        connected(hasty_server) as slow,
    ):
        deaf.sendall(export + b"\r\n")
        slow.sendall(export + b"Connection: close\r\n\r\n")
        started, received = time.monotonic(), 0
        while piece := slow.recv(64 * 1024):
            received += len(piece)
            while received > MUCH / 4 * (time.monotonic() - started):
                pass
        assert received > MUCH
