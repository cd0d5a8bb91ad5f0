"""Clients of a real server that are gone without a word: whoever does not answer pings is soon counted no more."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.processes import STAND_IN, Server, serving, wait_for
from tests.rooms import PATH, raw_guest
from tests.tabs import frame, history, new_cookie, raw_client

pytestmark = pytest.mark.server

OFTEN = f"from chatbot.web import server, sockets; server.PING_SECONDS = sockets.PING_SECONDS = 1.0; {STAND_IN[1]}"


@pytest.fixture
def asking_server(tmp_path: Path) -> Iterator[Server]:
    """One that asks its clients often whether they are there, and gives them little time."""
    with serving(tmp_path, "-c", OFTEN) as server:
        yield server


def connections(server: Server) -> int:
    """How many there are, as the system sees it; one is that which listens."""
    return len(psutil.Process(server.process.pid).net_connections("tcp")) - 1


def test_who_answers_pings_stays(asking_server: Server) -> None:
    with asking_server.connect() as here, raw_client(asking_server):
        wait_for(lambda: asking_server.count() == 1)
        here.send("Hi")
        assert here.recv(timeout=30) == "Hi"


def test_who_does_not_answer_is_gone_though_it_has_not_taken_what_was_sent(asking_server: Server) -> None:
    cookie = new_cookie(asking_server)
    with raw_client(asking_server, f"Cookie: {cookie}") as gone:
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        gone.sendall(frame("long 20000000"))
        wait_for(lambda: len(history(asking_server, cookie)) == 1)
        wait_for(lambda: asking_server.count() == 0)
        wait_for(lambda: connections(asking_server) == 0)
    assert "Traceback" not in asking_server.log


def test_who_is_gone_while_a_reply_is_under_way_is_gone(asking_server: Server) -> None:
    with raw_client(asking_server) as gone:
        gone.sendall(frame("slow 60"))
        wait_for(lambda: asking_server.count() == 1)
        wait_for(lambda: asking_server.count() == 0)


def test_who_is_gone_from_the_room_is_gone(asking_server: Server) -> None:
    with raw_guest(asking_server):  # answers the WebSocket's pings, but not those of Socket.IO
        wait_for(lambda: asking_server.count() == 1)
        wait_for(lambda: asking_server.count() == 0)


def test_who_polls_no_more_is_gone(asking_server: Server) -> None:
    path = f"{PATH}/?EIO=4&transport=polling"
    session = json.loads(asking_server.get(path).text[1:])["sid"]
    httpx2.post(f"http://{asking_server.address}{path}&sid={session}", content='40{"name":"Pol"}')
    assert asking_server.count() == 1
    wait_for(lambda: asking_server.count() == 0)
