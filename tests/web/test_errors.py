import asyncio
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from chatbot.bot.database import DatabaseUnavailable
from chatbot.bot.diary import Diary
from chatbot.messages import APOLOGY
from chatbot.web.errors import SORRY, LastResort
from chatbot.web.metrics import Metrics
from chatbot.web.tab import Tab
from chatbot.web.threads import Threads
from chatbot.web.visitors import Chatbot, Visitor
from chatbot.web.wire import Asked
from providerconf import providers
from tests.processes import Server


def failing() -> None:
    raise RuntimeError("as asked for")


def test_an_unknown_path_is_a_json_404(client: TestClient) -> None:
    response = client.get("/nowhere?x=1")
    assert response.status_code == 404
    assert response.json() == {"error": "There is nothing at /nowhere."}
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", "GET, HEAD"),
        ("/client-count", "GET, HEAD"),
        ("/conversation", "DELETE, GET, HEAD"),
        ("/conversation/lessons", "GET, HEAD, POST"),
        ("/conversation/lessons/1", "DELETE"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "OPTIONS"])
def test_a_wrong_method_is_a_json_405_with_the_right_ones(
    client: TestClient, method: str, path: str, methods: str
) -> None:
    response = client.request(method, path)
    assert response.status_code == 405
    assert response.json() == {"error": f"{path} does not take {method}."}
    assert response.headers["allow"] == methods


def test_an_error_in_a_view_is_a_json_500(lenient_client: TestClient) -> None:
    with providers.override(census=failing):
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
    class BrokenVisitor(Visitor):
        async def ask(self, chatbot: Chatbot, asked: Asked, tab: Tab) -> None:
            raise RuntimeError(f"{chatbot} has no reply to {asked} in {tab}")

    def broken(threads: Threads, diary: Diary, metrics: Metrics) -> Visitor:
        return BrokenVisitor("0" * 32, threads, diary, metrics)

    with providers.override(visitor=broken), client.websocket_connect("/conversation") as ws:
        ws.send_text("Hi")
        with pytest.raises(WebSocketDisconnect) as closed:
            ws.receive_text()
    assert (closed.value.code, closed.value.reason) == (1011, SORRY)
    assert "has no reply to Message(text='Hi'" in caplog.text


def test_an_error_after_a_websocket_was_closed_is_logged_once(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(ws: WebSocket) -> Iterator[Tab]:
        yield Tab(ws, "diego=")
        raise RuntimeError("as asked for")

    with providers.override(tab=broken), client.websocket_connect("/conversation") as ws:
        ws.send_bytes(b"")
        with pytest.raises(WebSocketDisconnect) as closed:
            ws.receive_text()
    assert closed.value.code == 1003
    assert len(caplog.records) == 1


@pytest.mark.anyio
async def test_a_websocket_that_a_stopping_server_cancels_ends_without_an_error() -> None:
    accepted = asyncio.Event()

    async def endless(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_message: Message) -> None:
        accepted.set()

    serving = asyncio.create_task(LastResort(endless)({"type": "websocket", "path": "/"}, receive, send))
    await accepted.wait()
    serving.cancel()
    await serving


def test_an_error_before_a_websocket_is_accepted_is_left_to_the_server(client: TestClient) -> None:
    with (
        providers.override(tab=failing),
        pytest.raises(RuntimeError, match="as asked for"),
        client.websocket_connect("/conversation"),
    ):
        pass


def unavailable() -> None:
    raise DatabaseUnavailable(OSError("the disk is full"))


def late(ws: WebSocket) -> Iterator[Tab]:
    yield Tab(ws, "diego=")
    unavailable()


def test_that_the_database_cannot_be_used_is_a_503_and_no_error(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with providers.override(visitor=unavailable):
        response = client.get("/conversation/history")
        assert (response.status_code, response.json()) == (503, {"error": APOLOGY})
        with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/conversation"):
            pass
    assert denied.value.status_code == 503
    with providers.override(tab=late), client.websocket_connect("/conversation") as ws:
        ws.send_bytes(b"")
        with pytest.raises(WebSocketDisconnect):
            ws.receive_text()
    assert caplog.records == []
