"""What Diego promises, at the level of the app; an echo stands in for the bot."""

from starlette.testclient import TestClient

from chatbot.web.tab import Tab
from providerconf import providers


def test_a_client_gets_a_reply_to_each_message(client: TestClient) -> None:
    with client.websocket_connect("/conversation") as ws:
        for message in ("Hello!", "How are you?"):
            ws.send_text(message)
            assert ws.receive_text() == message


def test_a_client_is_counted_before_it_is_accepted(client: TestClient) -> None:
    counted: list[int] = []

    class Watched(Tab):
        async def accept(self) -> None:
            counted.append(len(everybody))
            await super().accept()

    everybody: set[Tab] = set()
    with (
        providers.override(clients=lambda: everybody, tab=lambda ws: Watched(ws, "diego=")),
        client.websocket_connect("/conversation"),
    ):
        assert counted == [1]


def test_client_count(client: TestClient) -> None:
    assert client.get("/client-count").json() == {"count": 0}
    with client.websocket_connect("/conversation"), client.websocket_connect("/conversation"):
        assert client.get("/client-count").json() == {"count": 2}
    assert client.get("/client-count").json() == {"count": 0}
