"""What Diego promises, at the level of the app; an echo stands in for the bot."""

from starlette.testclient import TestClient


def test_a_client_gets_a_reply_to_each_message(client: TestClient) -> None:
    with client.websocket_connect("/conversation") as ws:
        for message in ("Hello!", "How are you?"):
            ws.send_text(message)
            assert ws.receive_text() == message


def test_client_count(client: TestClient) -> None:
    assert client.get("/client-count").json() == {"count": 0}
    with client.websocket_connect("/conversation"), client.websocket_connect("/conversation"):
        assert client.get("/client-count").json() == {"count": 2}
    assert client.get("/client-count").json() == {"count": 0}
