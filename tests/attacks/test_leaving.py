"""Peers that come and go, and more of them than there are file descriptors."""

import resource
import socket
import struct
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from tests.attacks.peers import PING, accepted, connected, rest, unharmed
from tests.processes import SECONDS, STAND_IN, Server, launched, serving, wait_for
from tests.rooms import HANDSHAKE as ROOM_HANDSHAKE
from tests.scale import only_one_process
from tests.tabs import HANDSHAKE, frame

pytestmark = [pytest.mark.server, only_one_process]

RESET = struct.pack("ii", 1, 0)
FEW = 100
LIMITED = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW}, {{most}})); {STAND_IN[1]}"


@pytest.mark.parametrize("handshake", [HANDSHAKE, ROOM_HANDSHAKE], ids=["conversation", "room"])
def test_five_hundred_resets_after_the_handshake(server: Server, handshake: bytes) -> None:
    with unharmed(server, most_lines=1000):
        for number in range(500):
            with accepted(server, handshake) as client:
                client.sendall(frame("Hi")[: number % 8] if number % 2 else PING * 200)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def test_a_thousand_connections_that_say_nothing_or_half_a_request(server: Server) -> None:
    with unharmed(server):
        for number in range(1000):
            with connected(server) as client:
                client.sendall(HANDSHAKE[: number % len(HANDSHAKE)])


def test_half_a_close_is_a_close(server: Server) -> None:
    with unharmed(server, most_lines=200):
        for number in range(100):
            with accepted(server) as client:
                client.sendall(frame("Hi")[: number % 9])
                client.shutdown(socket.SHUT_WR)
                rest(client)


def test_more_connections_than_file_descriptors_are_turned_away_and_those_that_are_there_stay(tmp_path: Path) -> None:
    with serving(tmp_path, "-c", LIMITED.format(most=FEW)) as server:
        with unharmed(server), ExitStack() as silent:
            for _ in range(2 * FEW):
                with suppress(ConnectionError):
                    silent.enter_context(connected(server))
            wait_for(lambda: psutil.Process(server.process.pid).num_fds() >= FEW - 2)
        with server.connect() as friend:
            friend.send("Hi")
            assert friend.recv(timeout=SECONDS) == "Hi"


def test_all_file_descriptors_that_may_be_had_are_taken(tmp_path: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with launched(tmp_path, "-c", LIMITED.format(most=most), "--port", "0") as server:
        wait_for(lambda: "Diego is ready" in server.log, server)
        assert psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_NOFILE) == (most, most)
