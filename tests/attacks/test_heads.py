"""What is no request, or too much of one."""

import gzip
import os
import ssl

import pytest

from tests.attacks.peers import (
    GET,
    HOST,
    accepted,
    close_code,
    connected,
    response,
    rest,
    send_until_answered,
    unharmed,
)
from tests.processes import Server
from tests.scale import only_one_process
from tests.tabs import HANDSHAKE, frame

pytestmark = [pytest.mark.server, only_one_process]

POST = b"POST /conversation/lessons HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
LONG = b"x" * 30_000_000
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="diego").do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("request_line", [b"GET /", HANDSHAKE.partition(b" HTTP")[0]], ids=["request", "handshake"])
def test_a_head_without_an_end_is_refused(server: Server, request_line: bytes) -> None:
    head = request_line + b" HTTP/1.1\r\n" + HOST
    with unharmed(server):
        for endless in (head + b"X: " + LONG, head + b"X: y\r\n" * 5_000_000, request_line + b"?" + LONG):
            with connected(server) as client:
                send_until_answered(client, endless)
                assert rest(client).startswith(b"HTTP/1.1 431 ")


def test_what_comes_with_a_body_and_does_not_belong_to_it_is_not_read_for_ever(server: Server) -> None:
    with unharmed(server):
        for endless in (b"0\r\n" + b"X: y\r\n" * 5_000_000, b"0\r\nX: " + LONG, b"5;" + LONG):
            with connected(server) as client:
                send_until_answered(client, POST + CHUNKED + b"\r\n" + endless)
                assert rest(client) == b""  # the request was under way


@pytest.mark.parametrize("handshake", [False, True])
def test_a_head_of_30_kilobytes_is_read(server: Server, *, handshake: bool) -> None:
    headers = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 5000) for n in range(6))
    if handshake:
        accepted(server, HANDSHAKE[:-2] + headers + b"\r\n").close()
    else:
        with connected(server) as client:
            client.sendall(GET[:-2] + headers + b"\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_what_is_no_request_is_refused(server: Server) -> None:
    nonsense = [
        client_hello(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100),
        b"\x16\x03" + os.urandom(4096),
        b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET client-count HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
        POST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 99999999999999999999\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ]
    with unharmed(server):
        for request in nonsense:
            with connected(server) as client:
                assert response(client, request).startswith(b"HTTP/1.1 400 "), request


def test_a_bad_chunk_ends_the_connection(server: Server) -> None:
    with unharmed(server):
        for chunk in (b"-1\r\n", b"x\r\n", b"fffffffffffffffff\r\n", b"1\r\nab\r\n"):
            with connected(server) as client:
                assert b" 200 " not in response(client, POST + CHUNKED + b"\r\n" + chunk)


@pytest.mark.parametrize("path", [b"/conversation", b"/sio/socket.io/?EIO=4&transport=websocket"])
def test_a_bad_handshake_is_refused(server: Server, path: bytes) -> None:
    key, version = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", b"Sec-WebSocket-Version: 13\r\n"
    upgrade = b" HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + HOST
    bad = [key + version[:-3] + b"2\r\n", version, version + key[:-8] + b"\r\n", version + key * 2, b"X: y\r\n" * 200]
    with unharmed(server):
        for headers in bad:
            with connected(server) as client:
                refused = response(client, b"GET " + path + upgrade + headers + b"\r\n")
                assert refused.startswith(b"HTTP/1.1 400 "), headers


def test_upgrades_to_other_protocols_are_not_made_and_not_logged(server: Server) -> None:
    with unharmed(server), connected(server) as client:
        client.sendall(GET[:-2] + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_sixteen_pipelined_requests_are_answered_and_a_thousand_are_not(server: Server) -> None:
    with connected(server) as client:
        answers = response(client, GET * 15 + GET[:-2] + b"Connection: close\r\n\r\n")
        assert answers.count(b"HTTP/1.1 200 OK") == 16
    with unharmed(server), connected(server) as client:
        assert response(client, GET * 1000).count(b"HTTP/1.1 200 OK") <= 17


def test_a_response_never_ends_in_the_midst_of_frames(server: Server) -> None:
    with unharmed(server), connected(server) as client:
        assert response(client, POST + b"Content-Length: 0\r\n\r\n" + HANDSHAKE) == b""


def test_a_compressed_body_is_not_unpacked(server: Server) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    length = b"Content-Encoding: gzip\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(bomb)
    with unharmed(server), connected(server) as client:
        assert response(client, POST + length + bomb).startswith(b"HTTP/1.1 400 ")


def test_frames_are_not_compressed(server: Server) -> None:
    with connected(server) as client:
        client.sendall(HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        head = client.recv(4096)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"extensions" not in head.lower()


def test_bits_that_mean_nothing_close_with_1002(server: Server) -> None:
    with unharmed(server):
        for first_byte in (0xC1, 0xA1, 0x91, 0x83, 0x8B):
            with accepted(server) as client:
                client.sendall(frame("Hi", first_byte))
                assert close_code(rest(client)) == 1002


def test_a_bad_close_frame_is_answered_with_one(server: Server) -> None:
    with unharmed(server):
        for payload in (b"\x03", b"\x03\xe7", b"\x03\xed", b"\x00\x00", b"\x03\xe8" + b"\xff" * 9):
            with accepted(server) as client:
                client.sendall(bytes([0x88, 0x80 | len(payload)]) + bytes(4) + payload + frame("Hi") * 100)
                assert close_code(rest(client)) in (1002, 1007)


def test_nothing_is_done_after_a_close_frame(server: Server) -> None:
    with unharmed(server), accepted(server) as client:
        client.sendall(b"\x88\x80\0\0\0\0" * 1000 + frame("Hi") * 1000)
        assert rest(client) == b"\x88\x00"
