from collections.abc import Iterator

import pytest
from starlette.routing import Mount, Route
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Message

from app import app
from chatbot.web.headers import sending_headers
from chatbot.web.pages import CONTENT_SECURITY_POLICY
from providerconf import providers

STRICT = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HSTS = {"strict-transport-security": "max-age=31536000"}
PAGES = ("/", "/room")
POLLING = "/sio/socket.io/?EIO=4&transport=polling"


def routes() -> Iterator[tuple[str, str]]:
    """A method and a path for each route and each method it takes."""
    for route in app.routes:
        if isinstance(route, Route):
            for method in route.methods or ():
                yield method, route.path.replace("{number}", "1")
        elif isinstance(route, Mount):
            yield "GET", f"{route.path}/page.css"


def failing() -> None:
    raise RuntimeError("as asked for")


def strict_headers(response: object) -> dict[str, str]:
    headers: dict[str, str] = dict(response.headers)  # type: ignore[attr-defined]
    return {name: value for name, value in headers.items() if name in {**STRICT, **HSTS}}


def expected(path: str) -> dict[str, str]:
    return {**STRICT, "content-security-policy": CONTENT_SECURITY_POLICY} if path in PAGES else STRICT


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *routes(),
        ("GET", "/nowhere"),
        ("PUT", "/client-count"),
        ("GET", "/static/nowhere.js"),
        ("GET", POLLING),
        ("GET", f"{POLLING}&sid=unknown"),
        ("GET", f"{POLLING}&EIO=3"),
    ],
)
def test_every_response_has_them_and_that_over_tls_one_more(client: TestClient, method: str, path: str) -> None:
    plain = client.request(method, path)
    assert strict_headers(plain) == expected(path)
    assert "server" not in plain.headers
    assert strict_headers(client.request(method, f"https://testserver{path}")) == {**expected(path), **HSTS}


def test_a_file_that_has_not_changed_has_them(client: TestClient) -> None:
    tag = client.get("/static/page.css").headers["etag"]
    unchanged = client.get("/static/page.css", headers={"If-None-Match": tag})
    assert unchanged.status_code == 304
    assert strict_headers(unchanged) == STRICT


def test_an_error_has_them(lenient_client: TestClient) -> None:
    with providers.override(census=failing):
        assert strict_headers(lenient_client.get("/client-count")) == STRICT
        over_tls = lenient_client.get("https://testserver/client-count")
    assert over_tls.status_code == 500
    assert strict_headers(over_tls) == {**STRICT, **HSTS}


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_refused_websocket_has_them(client: TestClient, scheme: str) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as denied,
        client.websocket_connect(f"{scheme}://testserver/nowhere"),
    ):
        pass
    assert strict_headers(denied.value) == (STRICT if scheme == "ws" else {**STRICT, **HSTS})


@pytest.mark.anyio
async def test_what_a_response_says_itself_stays() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    own = (b"Referrer-Policy", b"no-referrer")
    sending = sending_headers({"type": "http", "scheme": "http"}, send)
    await sending({"type": "http.response.start", "status": 200, "headers": [own]})
    await sending({"type": "http.response.body", "body": b""})
    headers = sent[0]["headers"]
    assert headers[0] == own
    assert b"referrer-policy" not in dict(headers)
    assert dict(headers)[b"x-content-type-options"] == b"nosniff"
    assert sent[1] == {"type": "http.response.body", "body": b""}
