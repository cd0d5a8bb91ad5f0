import pytest
from websockets.sync.client import ClientConnection

from tests.processes import Server
from tests.scale import IS_SCALED
from tests.tabs import ask, frame, new_cookie, open_tab, raw_client, receive, send

pytestmark = pytest.mark.server


def counts(tab: ClientConnection, last: int) -> list[int]:
    """What a tab that asks for nothing else is told up to that number."""
    told: list[int] = []
    while last not in told:
        fields = receive(tab)
        assert fields.keys() == {"type", "count"}
        assert fields["type"] == "count"
        told.append(fields["count"])
    return told


def at_once(tab: ClientConnection, count: int) -> None:
    """The tab is told that and nothing else before; of several processes it may be what was so half a second ago."""
    assert counts(tab, count) == [count] or IS_SCALED


def test_who_asks_is_told_at_once_and_whenever_it_changes(server: Server) -> None:
    with open_tab(server, new_cookie(server)) as tab:
        send(tab, type="count")
        at_once(tab, 1)
        with server.connect(), server.connect():
            counts(tab, 3)
        counts(tab, 1)


def test_who_asks_again_is_told_again(server: Server) -> None:
    with open_tab(server, new_cookie(server)) as tab:
        for _ in range(2):
            send(tab, type="count")
            at_once(tab, 1)


def test_who_does_not_ask_is_told_nothing(server: Server) -> None:
    with open_tab(server, new_cookie(server)) as tab, open_tab(server, new_cookie(server)) as asking:
        send(asking, type="count")
        at_once(asking, 2)
        with server.connect():
            at_once(asking, 3)
        assert ask(tab, "Hi")["text"] == "Hi"
        with pytest.raises(TimeoutError):
            tab.recv(timeout=0.1)


def test_a_tab_that_does_not_read_holds_up_no_other(server: Server) -> None:
    deaf = raw_client(server, f"Cookie: {new_cookie(server)}", "Sec-WebSocket-Protocol: diego.v1+json")
    with deaf, open_tab(server, new_cookie(server)) as tab:
        deaf.sendall(frame('{"type":"count"}'))
        for _ in range(20):  # until nothing more goes into its socket, each time 500,000 bytes
            deaf.sendall(frame('{"type":"message","text":"long 500000"}'))
        send(tab, type="count")
        at_once(tab, 2)
        with server.connect():
            at_once(tab, 3)
