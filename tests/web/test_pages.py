from starlette.testclient import TestClient


def test_home_says_how_to_chat(client: TestClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert "python client.py ws://testserver/conversation\n" in response.text


def test_under_tls_the_websocket_is_too(client: TestClient) -> None:
    assert "wss://testserver/conversation" in client.get("https://testserver/?x=1").text


def test_an_ordinary_request_to_the_websocket_is_told_what_to_do(client: TestClient) -> None:
    response = client.get("/conversation")
    assert response.status_code == 426
    assert response.headers["upgrade"] == "websocket"
    assert response.json() == {
        "error": "This is a WebSocket. Open ws://testserver/conversation with a WebSocket client, such as client.py."
    }
