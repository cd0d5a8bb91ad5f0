from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from app import app
from chatbot.web.conversation import Chatbot, Conversation
from chatbot.web.errors import SORRY
from chatbot.web.threads import Threads
from providerconf import providers
from tests.processes import Server


def failing() -> None:
    raise RuntimeError("as asked for")


@pytest.fixture
def lenient_client() -> Iterator[TestClient]:
    """A client that is told of errors as one in the network is."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_an_unknown_path_is_a_json_404(client: TestClient) -> None:
    response = client.get("/nowhere?x=1")
    assert response.status_code == 404
    assert response.json() == {"error": "There is nothing at /nowhere."}


@pytest.mark.parametrize("path", ["/", "/client-count", "/conversation"])
def test_a_wrong_method_is_a_json_405_with_the_right_ones(client: TestClient, path: str) -> None:
    response = client.post(path)
    assert response.status_code == 405
    assert response.json() == {"error": f"{path} does not take POST."}
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_an_error_in_a_view_is_a_json_500(lenient_client: TestClient) -> None:
    with providers.override(clients=failing):
        response = lenient_client.get("/client-count")
    assert response.status_code == 500
    assert response.json() == {"error": SORRY}


@pytest.mark.server
@pytest.mark.parametrize("path", ["/nowhere", "/client-count"])
def test_a_websocket_where_there_is_none_is_denied_with_404(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as denied:
        connect(f"ws://{server.address}{path}")
    assert denied.value.response.status_code == 404
    assert denied.value.response.body == f'{{"error":"There is no WebSocket at {path}."}}'.encode()
    assert "ERROR" not in server.log


def test_an_error_in_a_websocket_closes_it_with_1011_and_is_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    class BrokenConversation(Conversation):
        async def reply(self, chatbot: Chatbot, prompt: str) -> None:
            raise RuntimeError(f"{chatbot} has no reply to {prompt}")

    def broken(ws: WebSocket, threads: Threads) -> Conversation:
        return BrokenConversation(ws, threads)

    with providers.override(conversation=broken), client.websocket_connect("/conversation") as ws:
        ws.send_text("Hi")
        with pytest.raises(WebSocketDisconnect) as closed:
            ws.receive_text()
    assert (closed.value.code, closed.value.reason) == (1011, SORRY)
    assert "has no reply to Hi" in caplog.text


def test_an_error_after_a_websocket_was_closed_is_logged_once(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(ws: WebSocket, threads: Threads) -> Iterator[Conversation]:
        yield Conversation(ws, threads)
        raise RuntimeError("as asked for")

    with providers.override(conversation=broken), client.websocket_connect("/conversation") as ws:
        ws.send_bytes(b"")
        with pytest.raises(WebSocketDisconnect) as closed:
            ws.receive_text()
    assert closed.value.code == 1003
    assert len(caplog.records) == 1


def test_an_error_before_a_websocket_is_accepted_is_left_to_the_server(client: TestClient) -> None:
    with (
        providers.override(conversation=failing),
        pytest.raises(RuntimeError, match="as asked for"),
        client.websocket_connect("/conversation"),
    ):
        pass
