"""More of what is allowed than anybody needs."""

import re
from pathlib import Path

import pytest

from chatbot.web.server import READ_BYTES
from tests.attacks.peers import (
    EMPTY_CONT,
    EMPTY_START,
    EMPTY_TEXT,
    PING,
    PONG,
    accepted,
    close_code,
    flood,
    frames,
    rest,
    unharmed,
)
from tests.processes import SECONDS, STAND_IN, Server, serving, wait_for
from tests.rooms import HANDSHAKE as ROOM_HANDSHAKE
from tests.scale import only_one_process
from tests.tabs import HANDSHAKE, frame

pytestmark = [pytest.mark.server, only_one_process]

WATCHED = f"""
from chatbot.web.protocol import WebSocketProtocol
take = WebSocketProtocol.data_received
def watched(self, data):
    print("Read at once:", len(data), flush=True)
    take(self, data)
WebSocketProtocol.data_received = watched
{STAND_IN[1]}
"""

TEXT, CLOSE, PONG_OPCODE = 1, 8, 10


@pytest.mark.parametrize("handshake", [HANDSHAKE, ROOM_HANDSHAKE], ids=["conversation", "room"])
def test_a_million_frames_that_say_nothing_close_with_1008(server: Server, handshake: bytes) -> None:
    with unharmed(server):
        for start, repeated in ((b"", PING), (b"", PONG), (EMPTY_START, EMPTY_CONT)):
            with accepted(server, handshake) as client:
                received = flood(client, start + repeated * 1_000_000, reads=True)
                assert close_code(received + rest(client)) == 1008


def test_who_floods_and_does_not_read_is_cut_off(server: Server) -> None:
    with unharmed(server), accepted(server) as pinging, accepted(server) as ponging:
        flood(pinging, PING * 1_000_000, reads=False)
        flood(ponging, PONG * 1_000_000, reads=False)


def test_two_hundred_pings_at_once_are_answered(server: Server) -> None:
    with accepted(server) as client:
        client.sendall(PING * 200 + frame("Hi"))
        received = b""
        while not received.endswith(b"Hi"):
            received += client.recv(4096)
    assert [opcode for opcode, _ in frames(received)] == [PONG_OPCODE] * 200 + [TEXT]


@pytest.mark.parametrize(("fragments", "code"), [(256, None), (257, 1008)])
def test_a_message_may_be_in_so_many_frames(server: Server, fragments: int, code: int | None) -> None:
    sent = frame("x", 0x01) + frame("x", 0x00) * (fragments - 2) + frame("x", 0x80)
    with accepted(server) as client:
        client.sendall(sent)
        ((opcode, payload),) = frames(client.recv(4096))
    assert (opcode, payload) == (TEXT, b"x" * fragments) if code is None else opcode == CLOSE


def test_a_thousand_messages_at_once_are_answered_in_order(server: Server) -> None:
    texts = [f"message {number}" for number in range(1000)]
    with unharmed(server), server.connect() as client:
        client.socket.sendall(b"".join(map(frame, texts)))
        assert [client.recv(timeout=SECONDS) for _ in texts] == texts


def test_messages_of_clients_that_do_not_read_are_read_no_further_and_they_are_cut_off(hasty_server: Server) -> None:
    large = b"\x81\xfe\x3f\x00" + bytes(4) + b"x" * 0x3F00
    with unharmed(hasty_server), accepted(hasty_server) as empty, accepted(hasty_server) as full:
        flood(empty, EMPTY_TEXT * 5_000_000, reads=False)
        flood(full, large * 2000, reads=False)


def test_little_is_read_at_once_so_that_others_have_their_turn(tmp_path: Path) -> None:
    with serving(tmp_path, "-c", WATCHED) as server, accepted(server) as client:
        client.sendall(EMPTY_TEXT * 10_000)
        wait_for(lambda: sum(sizes_read(server)) >= 60_000, server)
    assert max(sizes_read(server)) <= 2 * READ_BYTES


def sizes_read(server: Server) -> list[int]:
    return [int(size) for size in re.findall("Read at once: ([0-9]+)", server.log)]
