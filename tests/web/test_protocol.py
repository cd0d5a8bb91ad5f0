import pytest
from websockets.exceptions import ConnectionClosed

from tests.processes import Server

pytestmark = pytest.mark.server


def test_a_character_that_is_cut_in_two_fragments_is_whole(server: Server) -> None:
    with server.connect() as client:
        client.send(iter([b"caf\xc3", b"\xa9"]), text=True)
        assert client.recv(timeout=30) == "café"


def test_a_surrogate_cut_in_two_fragments_is_taken_out(server: Server) -> None:
    with server.connect() as client:
        client.send(iter([b"H\xed\xa0", b"\xbdi"]), text=True)
        assert client.recv(timeout=30) == "Hi"


def test_bytes_that_are_not_utf_8_close_with_1007_and_no_traceback(server: Server) -> None:
    with server.connect() as client:
        client.send(b"\xff", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1007, "A text frame must be UTF-8.")
    assert "Traceback" not in server.log
