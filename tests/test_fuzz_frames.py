"""A minute of bytes that no client should send, beside somebody who chats: handshakes, frames, packets, JSON."""

import base64
import json
import socket
import time
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from chatbot.web.wire import COMMANDS, JSON
from tests.bystanders import SMALL_TALK, bystander
from tests.processes import SECONDS, Server, wait_for
from tests.small import serving_small

pytestmark = pytest.mark.server

FUZZ_SECONDS = 60.0
WARM_SECONDS = 15.0
MOST_GROWTH = 1.1
QUIET_SECONDS = 0.02
SPARE_BYTES = 8 << 20
"""What a database page cache or a thread more may take."""

BOUNDED = settings(
    max_examples=30,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

PATHS = [
    "/conversation",
    "/conversation?last_seq=0",
    "/conversation?last_seq=9999999999999999999",
    "/sio/socket.io/?EIO=4&transport=websocket",
    "/sio/socket.io/?EIO=4&transport=polling",
    "/sio/socket.io/?EIO=4&transport=websocket&sid=AAAA",
    "/nothing",
]
KEY = base64.b64encode(bytes(16)).decode()
HEADERS = ["Host: localhost", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {KEY}"]
HEADERS += ["Sec-WebSocket-Version: 13"]
ODD_HEADERS = [
    f"Sec-WebSocket-Protocol: {JSON}",
    "Sec-WebSocket-Protocol: ,,",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    "Sec-WebSocket-Extensions: =;",
    "Sec-WebSocket-Version: 99",
    "Cookie: diego=x; diego=y; =",
    "Content-Length: 7",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Origin: null",
    "X: \xff",
]


def frame(first: int, payload: bytes, length_bytes: int = 0, wrong_by: int = 0, *, masked: bool = True) -> bytes:
    """A frame; its length may be written in more bytes than needed and be wrong, and its mask is missing or zeros."""
    length = max(0, len(payload) + wrong_by)
    mask_bit, mask = (0x80, bytes(4)) if masked else (0, b"")
    if length_bytes == 8 or length > 0xFFFF:
        head = bytes([first, mask_bit | 127]) + length.to_bytes(8, "big")
    elif length_bytes == 2 or length > 125:
        head = bytes([first, mask_bit | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, mask_bit | length])
    return head + mask + payload


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
# To forget rewrites the database's file, for which the bystander would have to wait.
harmless = [command for command in COMMANDS if command != "forget"]
kinds = st.sampled_from(["message", "history", "count", "typing", *harmless])
fields = st.sampled_from(["text", "id", "before", "limit", "prompt", "reply", "number", "last_seq", "name"])
events = st.builds(lambda kind, others: {"type": kind, **others}, kinds | values, st.dictionaries(fields, values))
json_texts = (events | values).map(json.dumps)
engine_packets = st.one_of(
    st.sampled_from(["40", "41", "2probe", "5", "2", "3", "1", "6", "43", "45", "451-", '40{"name":"Ana"}', "4"]),
    st.builds("42{}{}".format, st.sampled_from(["", "0", "999999999999", "/a,"]), values.map(json.dumps)),
    st.builds(
        lambda event, data: f"420{json.dumps([event, data])}",
        st.sampled_from(["message", "typing", "connect", "disconnect", "nothing"]),
        events,
    ),
)
commands = st.builds("/{} {}".format, st.sampled_from([*harmless, "nothing"]), st.text(max_size=8))
texts = st.one_of(st.text(max_size=50), json_texts, engine_packets, commands).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
payloads = texts | st.binary(max_size=130) | st.integers(0, 20_000).map(bytes)
wholes = texts.map(partial(frame, 0x81))
odd_frames = st.builds(
    frame,
    st.integers(0, 255) | st.sampled_from([0x81, 0x01, 0x80, 0x00, 0x88, 0x89, 0x8A]),
    payloads,
    st.sampled_from([0, 0, 0, 2, 8]),
    st.integers(-1, 1),
    masked=st.sampled_from([True, True, True, False]),
)
mutations = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "repeat"]), st.floats(0, 1), st.integers(0, 255))
)


def mutated(data: bytes, changes: list[tuple[str, float, int]]) -> bytes:
    """The bytes with a few changes."""
    for change, where, value in changes:
        at = int(where * len(data))
        if change == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (value or 1)]) + data[at + 1 :]
        elif change == "cut":
            data = data[:at]
        elif change == "insert":
            data = data[:at] + bytes([value]) * (value or 1) + data[at:]
        elif change == "repeat":
            data += data[at : at + 500]
    return data


def handshake(path: str, odd: list[str], *, is_json: bool) -> bytes:
    headers = [*HEADERS, *odd, *([ODD_HEADERS[0]] if is_json else [])]
    return "\r\n".join([f"GET {path} HTTP/1.1", *headers, "", ""]).encode("latin-1")


handshakes = st.builds(
    handshake, st.sampled_from(PATHS), st.lists(st.sampled_from(ODD_HEADERS), max_size=1), is_json=st.booleans()
)
good_handshakes = st.builds(
    handshake, st.sampled_from([PATHS[0], PATHS[0], PATHS[1], PATHS[3]]), st.just([]), is_json=st.booleans()
)
connections = st.one_of(
    st.tuples(good_handshakes, st.lists(wholes, max_size=8).map(b"".join)),
    st.tuples(good_handshakes, st.lists(wholes | odd_frames, max_size=8).map(b"".join)),
    st.tuples(good_handshakes, st.builds(mutated, st.lists(wholes | odd_frames, max_size=5).map(b"".join), mutations)),
    st.tuples(st.builds(mutated, handshakes, mutations), st.binary(max_size=50)),
)


def connect(server: Server, connections: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Open all connections and send everything; what comes until the server closes, which it must when we have."""
    with ExitStack() as open_ones:
        clients = [open_ones.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in connections]
        for client, (opening, sent) in zip(clients, connections, strict=True):
            with suppress(OSError):  # the server has closed before it read all
                client.sendall(opening)
                client.sendall(sent)
        answers = [read(client, QUIET_SECONDS) for client in clients]
        for client in clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_WR)
        ends = [read(client, SECONDS) for client in clients]
    assert all(is_closed for _, is_closed in ends)
    return [answer + end for (answer, _), (end, _) in zip(answers, ends, strict=True)]


def read(client: socket.socket, seconds: float) -> tuple[bytes, bool]:
    """What comes until nothing has come for that long, and whether it ended because the server has closed."""
    received = b""
    client.settimeout(seconds)
    try:
        while chunk := client.recv(65536):
            received += chunk
    except TimeoutError:
        return received, False
    except OSError:
        pass  # a reset
    return received, True


def fuzz(server: Server, number: int) -> None:
    """Some hundred connections, others for every number."""

    @seed(number)
    @BOUNDED
    @given(at_once=st.lists(connections, min_size=1, max_size=8))
    def connect_badly(at_once: list[tuple[bytes, bytes]]) -> None:
        for answer in connect(server, at_once):
            assert b" 500 " not in answer.partition(b"\r\n")[0]
        assert server.process.poll() is None

    connect_badly()


def test_a_minute_of_bad_frames_harms_nobody(tmp_path: Path) -> None:
    with serving_small(tmp_path) as server, bystander(server, SMALL_TALK):
        process = psutil.Process(server.process.pid)
        begun, warm, number = time.monotonic(), 0, 0
        while (spent := time.monotonic() - begun) < FUZZ_SECONDS:
            if spent > WARM_SECONDS and not warm:
                warm = process.memory_info().rss
            number += 1
            fuzz(server, number)
        at_end = process.memory_info().rss
        wait_for(lambda: server.count() == 1)  # the bystander
        complaints = [line for line in server.log.splitlines() if "ERROR" in line or "Traceback" in line]
        assert complaints == []
        assert at_end <= MOST_GROWTH * warm + SPARE_BYTES, (number, warm, at_end)
