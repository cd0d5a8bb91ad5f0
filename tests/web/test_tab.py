import re
import signal
import socket
import struct
import sys
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pexpect
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from chatbot.messages import APOLOGY, BLANK, MAX_CHARACTERS, TOO_LONG
from chatbot.web.wire import JSON
from tests.databases import change
from tests.processes import Server, wait_for
from tests.scale import WORKERS
from tests.tabs import (
    HANDSHAKE,
    ask,
    frame,
    history,
    new_cookie,
    open_plain_tab,
    open_tab,
    raw_client,
    receive,
    until_reply,
)
from tests.tabs import say as say_json

pytestmark = pytest.mark.server


def say(connection: ClientConnection, message: str) -> str:
    connection.send(message)
    return str(connection.recv(timeout=30))


def say_idle(server: Server) -> str:
    with server.connect() as client:
        return say(client, "Hi")


def test_each_message_gets_one_reply_in_order(server: Server) -> None:
    messages = [f"message {number}" for number in range(100)]
    with server.connect() as client:
        for message in messages:
            client.send(message)
        assert [client.recv(timeout=30) for _ in messages] == messages


@pytest.mark.parametrize("message", ["", "   ", "\n\t", "\x00\x07\x1b", "\u200b\u200d", "\u2028"])
def test_a_blank_message_gets_a_friendly_sentence(server: Server, message: str) -> None:
    with server.connect() as client:
        assert say(client, message) == BLANK
        assert say(client, "Hi") == "Hi"


def test_a_message_that_is_too_long_gets_a_sentence_with_the_limit(server: Server) -> None:
    assert f"{MAX_CHARACTERS:,}" in TOO_LONG
    with server.connect() as client:
        assert say(client, "x" * (MAX_CHARACTERS + 1)) == TOO_LONG
        assert say(client, "x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS


def test_length_counts_after_normalisation(server: Server) -> None:
    with server.connect() as client:
        assert say(client, "e\u0301" * MAX_CHARACTERS) == "é" * MAX_CHARACTERS


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"H\0i", "Hi"),
        (b"H\xed\xa0\xbdi", "Hi"),  # a lone surrogate as bytes
        (b"\xed\xa0\xbd", BLANK),
    ],
)
def test_nul_and_surrogates_are_taken_out(server: Server, sent: bytes, read: str) -> None:
    with server.connect() as client:
        client.send(sent, text=True)
        assert client.recv(timeout=30) == read
        assert say(client, "Hi") == "Hi"


@pytest.mark.parametrize(
    "message", ["😀", "👩‍👩‍👧", "שלום, מה שלומך?", "مرحبا", "na\u0308mlich", "नमस्ते", "你好嗎", "สวัสดี", "\u202eabc"]
)
def test_any_script_is_answered(server: Server, message: str) -> None:
    with server.connect() as client:
        assert say(client, message) == unicodedata.normalize("NFC", message)


def closed_with(client: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=30)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_a_frame_over_16_kib_closes_with_1009(server: Server) -> None:
    with server.connect() as client:
        assert say(client, "x" * 16 * 1024) == TOO_LONG
        client.send("x" * (16 * 1024 + 1))
        assert closed_with(client)[0] == 1009


def test_a_frame_of_megabytes_closes_with_1009_too(server: Server) -> None:
    for _ in range(3):
        with server.connect() as client:
            with suppress(ConnectionClosed):  # while it is sending
                client.send("x" * 5_000_000)
            assert closed_with(client)[0] == 1009


def test_a_binary_frame_closes_with_1003_and_a_reason(server: Server) -> None:
    with server.connect() as client:
        client.send(b"Hi")
        assert closed_with(client) == (1003, "Diego reads text frames only.")


@pytest.mark.parametrize(("command", "error"), [("fail", "RuntimeError"), ("exit", "SystemExit")])
def test_an_error_while_answering_is_an_apology_and_a_traceback_in_the_log(
    server: Server, command: str, error: str
) -> None:
    with server.connect() as client:
        assert say(client, command) == APOLOGY
        assert say(client, "Hi") == "Hi"
    assert f"\n{error}\n" in server.log
    assert f"{error}: " not in server.log  # what it says may be what the visitor has said


def test_a_slow_reply_delays_nobody_else(server: Server) -> None:
    with server.connect() as slow, server.connect() as quick:
        slow.send("slow 3")
        started = time.monotonic()
        assert say(quick, "Hi") == "Hi"
        assert slow.ping().wait(30)
        assert server.count() == 2
        assert time.monotonic() - started < 3
        assert slow.recv(timeout=30) == "slow 3"


def test_a_client_with_messages_waiting_gets_its_pongs(server: Server) -> None:
    with server.connect() as client:
        client.send("slow 3")
        for _ in range(10):
            client.send("Hi")
        started = time.monotonic()
        assert client.ping().wait(30)
        assert time.monotonic() - started < 3


def test_each_connection_is_a_conversation_of_its_own(server: Server) -> None:
    with server.connect() as one, server.connect() as other:
        assert say(one, "conversation") == say(one, "conversation") != say(other, "conversation")


def leave_with_close_frame(client: socket.socket) -> None:
    client.sendall(frame("", 0x88))
    assert client.recv(4096)[0] == 0x88


def leave_with_fin(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def leave_with_rst(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def leave_in_the_middle_of_a_message(client: socket.socket) -> None:
    client.sendall(frame("half")[:7])


def leave_while_a_reply_is_computed(client: socket.socket) -> None:
    client.sendall(frame("slow 0.02"))
    leave_with_rst(client)


def leave_with_messages_waiting(client: socket.socket) -> None:
    client.sendall(frame("slow 0.02") + frame("fail") + frame("Hi"))


LEAVES = (
    leave_with_close_frame,
    leave_with_fin,
    leave_with_rst,
    leave_in_the_middle_of_a_message,
    leave_while_a_reply_is_computed,
    leave_with_messages_waiting,
)


def test_the_count_is_exact_after_2000_clients_that_left_in_every_way(own_server: Server) -> None:
    def come_and_leave(number: int) -> None:
        with raw_client(own_server) as client:
            LEAVES[number % len(LEAVES)](client)

    with own_server.connect() as stays, ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_leave, range(2000)))
        wait_for(lambda: own_server.count() == 1)
        assert say(stays, "Hi") == "Hi"
    wait_for(lambda: own_server.count() == 0)
    failures = re.findall(r"^[\w.]*(?:Error|Exception|Disconnect\w*)\b.*", own_server.log, re.MULTILINE)
    assert set(failures) <= {"RuntimeError"}


@pytest.mark.parametrize("waiting", [0, 1, 10])
def test_a_client_that_leaves_while_a_reply_is_computed_is_no_longer_counted(server: Server, waiting: int) -> None:
    with raw_client(server) as client:
        client.sendall(frame("slow 20") + frame("Hi") * waiting)
        wait_for(lambda: server.count() == 1)
    started = time.monotonic()
    wait_for(lambda: server.count() == 0)
    assert time.monotonic() - started < 15


def test_an_ordinary_get_is_told_to_use_a_websocket(server: Server) -> None:
    response = server.get("/conversation")
    assert response.status_code == 426
    assert "WebSocket" in response.json()["error"]


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_server_sends_the_reply_under_way_then_closes_with_1012(
    own_server: Server, sig: signal.Signals
) -> None:
    goodbye = (1012, "Diego restarts; please come back in a moment.")
    with own_server.connect() as busy, own_server.connect() as thinking, own_server.connect() as idle:
        thinking.send("slow 1")
        busy.send("slow 1")
        busy.send("too late")
        assert say(idle, "Hi") == "Hi"
        own_server.process.send_signal(sig)
        assert closed_with(idle) == goodbye
        wait_for(lambda: own_server.log.count("Diego stops") == WORKERS)
        with pytest.raises(InvalidStatus) as refused:
            own_server.connect()
        assert refused.value.response.status_code == 503
        assert busy.recv(timeout=30) == "slow 1"
        assert closed_with(busy) == goodbye
        assert thinking.recv(timeout=30) == "slow 1"
        assert closed_with(thinking) == goodbye
    assert own_server.process.wait(10) == 0
    assert "Traceback" not in own_server.log


def test_who_comes_while_the_server_stops_is_told_so_too(own_server: Server) -> None:
    with own_server.connect() as busy, socket.create_connection(("127.0.0.1", own_server.port), timeout=30) as late:
        busy.send("slow 4")
        assert say_idle(own_server) == "Hi"
        own_server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: own_server.log.count("Diego stops") == WORKERS)
        late.sendall(HANDSHAKE)
        received = b""
        while b"Diego restarts" not in received:
            received += (more := late.recv(4096))
            assert more
        assert received.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 2\r\n" in received.lower()
        assert busy.recv(timeout=30) == "slow 4"


def test_nothing_is_compressed(server: Server) -> None:
    with server.connect() as client:
        assert client.protocol.extensions == []


def test_a_second_ctrl_c_is_impatient_but_no_error(own_server: Server) -> None:
    with own_server.connect() as busy:
        busy.send("slow 5")
        assert say_idle(own_server) == "Hi"
        started = time.monotonic()
        own_server.process.send_signal(signal.SIGINT)
        wait_for(lambda: own_server.log.count("Diego stops") == WORKERS)
        own_server.process.send_signal(signal.SIGINT)
        assert own_server.process.wait(30) == 0
        assert time.monotonic() - started < 5
    assert "Traceback" not in own_server.log


def newest(server: Server, cookie: str) -> list[str]:
    """What the visitor said last, once that is kept."""
    return [turn["prompt"] for turn in history(server, cookie, "?limit=1")]


def test_neither_an_endless_reply_nor_a_client_that_does_not_read_keeps_a_stopping_server(own_server: Server) -> None:
    cookie = new_cookie(own_server)
    with raw_client(own_server) as endless, raw_client(own_server, f"Cookie: {cookie}") as deaf:
        endless.sendall(frame("slow 60"))
        deaf.sendall(frame("long 20000000") + frame("one more"))
        wait_for(lambda: newest(own_server, cookie) == ["one more"])
        started = time.monotonic()
        assert own_server.stop() == 0
        assert time.monotonic() - started < 10


def test_the_client_of_the_websockets_library_chats_too(server: Server) -> None:
    with pexpect.spawn(sys.executable, ["-m", "websockets", server.url], encoding="utf-8", timeout=30) as terminal:
        terminal.expect("Connected")
        terminal.sendline("Hello there")
        terminal.expect("< Hello there")
        terminal.sendeof()
        terminal.expect("Connection closed")


def test_the_wire_is_plain_unless_the_client_asks_for_json(server: Server) -> None:
    others = [Subprotocol("graphql-ws"), Subprotocol("diego.v2+json")]
    with server.connect(subprotocols=[*others, Subprotocol(JSON)]) as rich:
        assert rich.subprotocol == JSON
        assert ask(rich, "Hi")["text"] == "Hi"
    for subprotocols in (None, others):
        with server.connect(subprotocols=subprotocols) as plain:
            assert plain.subprotocol is None
            assert say(plain, '{"type": "history"}') == '{"type": "history"}'


def test_the_plain_wire_shows_one_reply_to_each_message_and_nothing_of_other_tabs(server: Server) -> None:
    cookie = new_cookie(server)
    with open_plain_tab(server, cookie) as plain, open_tab(server, cookie) as rich:
        assert say(plain, "one") == "one"
        assert [receive(rich)["type"], receive(rich)["prompt"]] == ["typing", "one"]
        assert ask(rich, "two")["text"] == "two"
        assert say(plain, "three") == "three"


def test_a_frame_that_is_refused_is_an_error_in_that_tab_only_and_ends_nothing(server: Server) -> None:
    cookie = new_cookie(server)
    with open_tab(server, cookie) as tab, open_tab(server, cookie) as other:
        for frame in (
            "",
            "Hi",
            '{"type": "message", "text": ""}',
            r'{"type": "message", "text": "Hi", "id": "\ud83d"}',
        ):
            tab.send(frame)
            error = receive(tab)
            assert (error["type"], error["id"]) == ("error", None)
            assert error["text"].endswith(".")
        assert ask(tab, "Hi")["text"] == "Hi"
        assert [receive(other)["type"], receive(other)["prompt"]] == ["typing", "Hi"]


def test_a_binary_frame_closes_only_the_tab_that_sent_it(server: Server) -> None:
    cookie = new_cookie(server)
    with open_tab(server, cookie) as tab, open_tab(server, cookie) as other:
        tab.send(b'{"type": "history"}')
        assert closed_with(tab) == (1003, "Diego reads text frames only.")
        assert ask(other, "Hi")["text"] == "Hi"


def test_a_stopping_server_closes_all_tabs_after_the_reply_under_way(own_server: Server) -> None:
    cookie = new_cookie(own_server)
    with open_tab(own_server, cookie) as busy, open_tab(own_server, cookie) as other:
        message_id = say_json(busy, "slow 1")
        assert receive(other)["type"] == "typing"
        own_server.process.send_signal(signal.SIGTERM)
        assert until_reply(busy, message_id)[-1]["type"] == "reply"
        assert closed_with(busy)[0] == closed_with(other)[0] == 1012
    assert own_server.process.wait(30) == 0
    assert change(own_server.output.parent, "SELECT prompt FROM turn") == [("slow 1",)]


def test_a_client_that_does_not_read_its_replies_holds_up_no_other_tab(impatient_server: Server) -> None:
    cookie = new_cookie(impatient_server)
    with raw_client(impatient_server, f"Cookie: {cookie}") as deaf, open_plain_tab(impatient_server, cookie) as tab:
        deaf.sendall(frame("long 20000000") + frame("one more"))
        wait_for(lambda: newest(impatient_server, cookie) == ["one more"])
        assert say(tab, "Hi") == "Hi"
        wait_for(lambda: impatient_server.count() == 1)
    assert "Traceback" not in impatient_server.log
