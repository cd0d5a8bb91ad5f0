import json
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from chatbot.web.door import FOREIGN, UNKNOWN_HOST
from tests.nginx import ROOT
from tests.processes import SECONDS, STAND_IN, Server, environment, read_response, serving, serving_directly, wait_for
from tests.rooms import HANDSHAKE as ROOM_HANDSHAKE
from tests.rooms import PATH
from tests.scale import WORKERS, only_one_process
from tests.tabs import HANDSHAKE, frame, new_cookie, open_plain_tab, raw_client
from tests.terminals import terminal

pytestmark = pytest.mark.server

OTHER = "https://example.org"
POLLING = f"{PATH}/?EIO=4&transport=polling"
ROOM = f"{PATH}/?EIO=4&transport=websocket"
QUICK = f"from chatbot.web import places, sockets; places.RETRY_SECONDS = sockets.PING_SECONDS = 1; {STAND_IN[1]}"


PLACES = 20


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with room for some, which soon gives up clients that poll no more."""
    with serving(tmp_path_factory.mktemp("small"), "-c", QUICK, DIEGO_MAX_CONNECTIONS=str(PLACES)) as server:
        yield server


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def leave(server: Server) -> None:
    with server.connect():
        pass


def leave_by_reset(server: Server) -> None:
    reset(raw_client(server))


def leave_without_a_word(server: Server) -> None:
    raw_client(server).close()


def leave_while_diego_thinks(server: Server) -> None:
    client = raw_client(server)
    client.sendall(frame("slow 0.3"))
    reset(client)


def leave_in_the_handshake(server: Server) -> None:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)
    client.sendall(HANDSHAKE)
    reset(client)


def send_what_is_not_taken(server: Server) -> None:
    for sent in (b"\x00", "x" * 20_000):
        with suppress(ConnectionClosed, InvalidStatus), server.connect() as client:
            client.send(sent)
            client.recv(timeout=SECONDS)
    with closing(raw_client(server)) as client:
        client.sendall(b"\x81\x81\x00\x00\x00\x00\xff")
        client.recv(4096)


def ask_for_what_is_not_there(server: Server) -> None:
    for path in ("/nowhere", f"{PATH}/?EIO=4", f"{ROOM}&sid=unknown"):
        with pytest.raises(InvalidStatus), connect(f"ws://{server.address}{path}"):
            pass


def come_from_another_page(server: Server) -> None:
    with pytest.raises(InvalidStatus), server.connect(additional_headers={"Origin": OTHER}):
        pass


def join_and_leave(server: Server) -> None:
    for goodbye in ("41", "1", "garbage", b"\x00"):
        with suppress(ConnectionClosed), connect(f"ws://{server.address}{ROOM}") as client:
            client.send("40")
            client.recv(timeout=SECONDS)
            client.send(goodbye)


def join_and_reset(server: Server) -> None:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)
    client.sendall(ROOM_HANDSHAKE)
    client.recv(4096)
    client.sendall(frame("40"))
    reset(client)


def poll_and_leave(server: Server) -> None:
    assert server.get(f"{POLLING}&EIO=3").status_code == 400
    assert post(server, poll(server), "1") == 200


def poll_and_never_come_back(server: Server) -> None:
    poll(server)


WAYS = [
    leave,
    leave_by_reset,
    leave_without_a_word,
    leave_while_diego_thinks,
    leave_in_the_handshake,
    send_what_is_not_taken,
    ask_for_what_is_not_there,
    come_from_another_page,
    join_and_leave,
    join_and_reset,
    poll_and_leave,
    poll_and_never_come_back,
]


def poll(server: Server) -> str:
    """The id of a new session of a client that polls."""
    return str(json.loads(server.get(POLLING).text[1:])["sid"])


def post(server: Server, sid: str, packet: str) -> int:
    return httpx2.post(f"http://{server.address}{POLLING}&sid={sid}", content=packet, timeout=SECONDS).status_code


def refusal(server: Server, **headers: str) -> tuple[int, str]:
    """The status and the sentence with which a WebSocket is refused; 101 if it is not."""
    try:
        with server.connect(additional_headers=headers):
            return 101, ""
    except InvalidStatus as refused:
        return refused.response.status_code, json.loads(refused.response.body)["error"]


def all_places_are_free(server: Server) -> bool:
    with ExitStack() as stack, suppress(InvalidStatus):
        for _ in range(PLACES):
            stack.enter_context(server.connect())
        return refusal(server)[0] == 503
    return False


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_place_is_free_again_in_whatever_way_a_connection_ends(
    small_server: Server, way: Callable[[Server], None]
) -> None:
    wait_for(lambda: all_places_are_free(small_server))
    for _ in range(5):
        way(small_server)
    wait_for(lambda: all_places_are_free(small_server))
    assert "Traceback" not in small_server.log


class TestHostsAndOrigins:
    def test_a_name_that_leads_here_is_refused_with_a_sentence(self, server: Server) -> None:
        answer = server.get("/", Host="evil.example")
        assert (answer.status_code, answer.json()) == (400, {"error": UNKNOWN_HOST.format("evil.example")})
        with closing(socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)) as client:
            client.sendall(HANDSHAKE.replace(b"localhost", b"evil.example:8000"))
            assert "Diego does not serve evil.example." in read_response(client)[1]

    def test_two_hosts_or_none_are_refused(self, server: Server) -> None:
        for hosts in (b"", b"Host: localhost\r\nHost: localhost\r\n"):
            for request in (HANDSHAKE, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
                with closing(socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)) as client:
                    client.sendall(request.replace(b"Host: localhost\r\n", hosts))
                    assert client.recv(4096).startswith(b"HTTP/1.1 400 ")

    def test_a_page_of_another_site_is_refused_with_a_sentence(self, server: Server) -> None:
        assert refusal(server, Origin=f"http://{server.address}") == (101, "")
        for origin in ("null", OTHER, f"https://{server.address}"):
            assert refusal(server, Origin=origin) == (403, FOREIGN.format(origin))

    @only_one_process  # nginx is named
    def test_uvicorn_is_not_named(self, server: Server) -> None:
        assert "server" not in server.get("/").headers
        assert "server" not in server.get("/nowhere").headers
        with server.connect() as client:
            assert client.response is not None
            assert "Server" not in client.response.headers


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server behind proxies, with room for one connection of each address."""
    with serving_directly(
        tmp_path_factory.mktemp("proxied"),
        *STAND_IN,
        DIEGO_MAX_CONNECTIONS_PER_ADDRESS="1",
        DIEGO_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8",
    ) as server:
        yield server


class TestProxies:
    def statuses(self, server: Server, first: Any, second: Any) -> int:
        """The status of a connection, the headers X-Forwarded-For of which are these, while there is another.

        0 if that one is refused: those of the test before may still be there.
        """
        with suppress(InvalidStatus), server.connect(additional_headers=[("X-Forwarded-For", one) for one in first]):
            try:
                with server.connect(additional_headers=[("X-Forwarded-For", one) for one in second]):
                    return 101
            except InvalidStatus as refused:
                return refused.response.status_code
        return 0

    @pytest.mark.parametrize(
        ("first", "second", "status"),
        [
            (["192.0.2.1"], ["192.0.2.2"], 101),
            (["192.0.2.1"], ["192.0.2.1"], 429),
            (["192.0.2.1"], ["192.0.2.1:4711"], 429),
            (["192.0.2.1, 10.0.0.7"], ["192.0.2.1"], 429),
            (["192.0.2.1"], ["198.51.100.1, 192.0.2.1"], 429),
            (["192.0.2.1"], ["198.51.100.1", "192.0.2.1"], 429),
            (["192.0.2.1"], ["127.0.0.1, 192.0.2.1, 10.0.0.7"], 429),
            (["2001:db8::1"], ["[2001:db8::2]:4711"], 429),
            (["2001:db8::1"], ["2001:db8:0:1::1"], 101),
            (["192.0.2.1"], ["::ffff:192.0.2.1"], 429),
            (["garbage"], ["garbage"], 429),
            (["x" * 5000], ["x" * 5001], 429),
            ([""], [""], 429),
            ([], [","], 429),
        ],
    )
    def test_whom_a_proxy_comes_for_is_who_it_says_and_not_who_that_one_says(
        self, proxied: Server, first: list[str], second: list[str], status: int
    ) -> None:
        wait_for(lambda: self.statuses(proxied, ["192.0.2.99"], ["192.0.2.98"]) == 101)
        assert wait_for(lambda: self.statuses(proxied, first, second)) == status

    def test_over_tls_a_page_may_connect_that_came_over_tls(self, proxied: Server) -> None:
        own = {"Origin": f"https://{proxied.address}", "X-Forwarded-For": "192.0.2.50"}
        assert refusal(proxied, **own)[0] == 403
        assert refusal(proxied, **own, **{"X-Forwarded-Proto": "https"})[0] == 101
        answer = proxied.get("/", **{"X-Forwarded-Proto": "https"})
        assert answer.headers["strict-transport-security"] == "max-age=31536000"

    def test_a_proxy_that_is_not_trusted_is_told_of_and_not_believed(self, tmp_path: Path) -> None:
        with serving_directly(tmp_path, *STAND_IN, DIEGO_MAX_CONNECTIONS_PER_ADDRESS="1") as server:
            assert self.statuses(server, ["192.0.2.1"], ["192.0.2.2"]) == 429
            assert 1 <= server.log.count("127.0.0.1 sends X-Forwarded-For, and is not believed.") <= WORKERS


class TestVisitors:
    def test_a_visitor_has_so_many_tabs_and_no_more(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN, DIEGO_MAX_CONNECTIONS_PER_VISITOR="2") as server, ExitStack() as stack:
            cookie = new_cookie(server)
            tabs = [stack.enter_context(open_plain_tab(server, cookie)) for _ in range(2)]
            status, sentence = refusal(server, Cookie=cookie)
            assert (status, sentence.partition(",")[0]) == (429, "You have 2 connections to Diego")
            assert refusal(server)[0] == 101
            tabs[0].close()
            wait_for(lambda: refusal(server, Cookie=cookie)[0] == 101)

    def test_the_terminal_client_comes_again_when_there_is_room(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN, DIEGO_MAX_CONNECTIONS="1") as server:
            command = [sys.executable, str(ROOT / "client.py"), server.url]
            with terminal(command, environment(XDG_STATE_HOME=str(tmp_path))) as screen:
                wait_for(lambda: "Ctrl-D leaves" in screen.text())
                assert server.stop() == 0
                wait_for(lambda: "Connecting again" in screen.text())
                with ExitStack() as stack:
                    with screen.asleep():
                        started = serving(tmp_path, "-c", QUICK, port=server.port, DIEGO_MAX_CONNECTIONS="1")
                        occupied = stack.enter_context(started).connect()
                    with occupied:
                        wait_for(lambda: "there is no room for more" in screen.text())
                    wait_for(lambda: "Connected again." in screen.text())
