import logging
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient, WebSocketDenialResponse
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app import app
from chatbot.bot.diary import Diary
from chatbot.settings import Settings
from chatbot.web.door import FOREIGN, NO_HOST, NO_ORIGIN, UNKNOWN_HOST, Rules
from chatbot.web.places import FULL
from providerconf import providers
from tests.databases import url_in

OTHER = "https://example.org"
POLLING = "/sio/socket.io/?EIO=4&transport=polling"


def scope(*headers: tuple[str, str], scheme: str = "http", method: str = "POST", client: str = "") -> dict[str, Any]:
    """A connection with these headers; a host is added if there is none."""
    written = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    if "host" not in dict(headers):
        written.append((b"host", b"localhost"))
    kind = "websocket" if scheme in ("ws", "wss") else "http"
    return {"type": kind, "scheme": scheme, "method": method, "headers": written, "client": (client, 1)}


def refusal(rules: Rules, *headers: tuple[str, str], **options: str) -> tuple[int, str]:
    """What the rules say to a connection; 200 if they let it in."""
    try:
        rules.check(scope(*headers, **options))
    except HTTPException as refused:
        return refused.status_code, refused.detail
    return 200, ""


class TestHosts:
    @pytest.mark.parametrize(
        "host",
        [
            *("localhost", "localhost:8000", "LOCALHOST:8000", "a.b.localhost", socket.gethostname()),
            *("127.0.0.1", "127.0.0.1:8000", "192.0.2.7:80", "[::1]", "[::1]:8000", "[2001:DB8::7]", "localhost:"),
        ],
    )
    def test_addresses_and_names_that_nobody_else_can_have_are_always_known(self, host: str) -> None:
        assert refusal(Rules(Settings(allowed_hosts=())), ("host", host)) == (200, "")

    @pytest.mark.parametrize(
        "host",
        [
            *("example.org", "example.org:8000", "localhost.example.org", "notlocalhost", "127.0.0.1.example.org"),
            *("localhost.", "127.0.0.1.", "127.1", "2130706433", "0x7f000001", "a_b"),
        ],
    )
    def test_other_names_are_told_where_to_list_them(self, host: str) -> None:
        name = host.partition(":")[0]
        assert refusal(Rules(Settings(allowed_hosts=())), ("host", host)) == (400, UNKNOWN_HOST.format(name))

    @pytest.mark.parametrize(
        "host",
        [
            *(
                "",
                " ",
                ":80",
                "[::1",
                "::1",
                "[::1]x",
                "[localhost]",
                "a b",
                "a/b",
                "user@localhost",
                "localhost:80:80",
            ),
            *("localhost:port", "localhost:123456", "é.example.org", "x" * 300, "[" * 60_000, "localhost\x00", "\xff"),
        ],
    )
    def test_garbage_is_not_repeated(self, host: str) -> None:
        assert refusal(Rules(Settings(allowed_hosts=("*",))), ("host", host)) == (400, NO_HOST)

    @pytest.mark.parametrize("host", ["[:::]", "[f:f]", "[...]"])
    def test_what_stands_in_brackets_is_an_address(self, host: str) -> None:
        assert refusal(Rules(Settings(allowed_hosts=())), ("host", host)) == (400, UNKNOWN_HOST.format(host))

    def test_names_that_are_listed_are_known(self) -> None:
        rules = Rules(Settings(allowed_hosts=("chat.example.org", "*.example.com")))
        for host in ("chat.example.org", "Chat.Example.Org:8000", "a.example.com", "a.b.example.com:1"):
            assert refusal(rules, ("host", host)) == (200, "")
        for host in ("example.org", "chat.example.org.", "example.com", "notexample.com", "a.example.com.evil.example"):
            assert refusal(rules, ("host", host))[0] == 400

    def test_one_may_allow_all(self) -> None:
        assert refusal(Rules(Settings(allowed_hosts=("*",))), ("host", "any.name.example:80")) == (200, "")

    def test_there_must_be_one(self) -> None:
        rules = Rules(Settings(allowed_hosts=("*",)))
        assert refusal(rules, ("host", "localhost"), ("host", "localhost")) == (400, NO_HOST)
        with pytest.raises(HTTPException, match="one header Host"):
            rules.check({**scope(), "headers": []})

    def test_the_answer_is_a_sentence_for_requests_and_websockets(self, client: TestClient) -> None:
        foreign = "evil.example:8000"
        response = client.get("/client-count", headers={"Host": foreign})
        assert (response.status_code, response.json()) == (400, {"error": UNKNOWN_HOST.format("evil.example")})
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            client.websocket_connect("/conversation", headers={"Host": foreign}),
        ):
            pass
        assert (denied.value.status_code, denied.value.json()) == (400, response.json())


class TestOrigins:
    @pytest.mark.parametrize(
        ("scheme", "host", "origin"),
        [
            ("http", "localhost:8000", "http://localhost:8000"),
            ("ws", "localhost:8000", "http://localhost:8000"),
            ("https", "localhost", "https://localhost"),
            ("wss", "[::1]:8443", "https://[::1]:8443"),
            ("ws", "localhost", OTHER),
        ],
    )
    def test_the_servers_own_and_those_that_are_listed_may(self, scheme: str, host: str, origin: str) -> None:
        rules = Rules(Settings(allowed_origins=(OTHER,)))
        assert refusal(rules, ("host", host), ("origin", origin), scheme=scheme) == (200, "")

    @pytest.mark.parametrize(
        "origin",
        [
            *(
                "null",
                "",
                "http://evil.example",
                "http://localhost",
                "https://localhost:8000",
                "http://localhost:8000/",
            ),
            *("HTTP://localhost:8000", "http://LOCALHOST:8000", "http://localhost:8000.", "http://localhost.:8000"),
            *("http://localhost:8000.evil.example", "http://localhost:80", "localhost:8000", "http://127.0.0.1:8000"),
            *("https://example.org.", "https://example.org:443", "http://example.org", "https://a.example.org", "\xff"),
        ],
    )
    @pytest.mark.parametrize("scheme", ["ws", "http"])
    def test_nobody_else_may(self, scheme: str, origin: str) -> None:
        rules = Rules(Settings(allowed_origins=(OTHER,)))
        assert refusal(rules, ("host", "localhost:8000"), ("origin", origin), scheme=scheme) == (
            403,
            FOREIGN.format(origin),
        )

    def test_two_are_one_too_many(self) -> None:
        own = ("origin", "http://localhost")
        assert refusal(Rules(Settings()), own, own) == (403, FOREIGN.format("http://localhost and http://localhost"))

    def test_a_long_one_is_not_repeated(self) -> None:
        assert len(refusal(Rules(Settings()), ("origin", "x" * 60_000))[1]) < 500

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    def test_who_changes_nothing_may_come_from_anywhere(self, method: str) -> None:
        assert refusal(Rules(Settings()), ("origin", "null"), method=method) == (200, "")

    def test_clients_that_are_no_browsers_have_none(self) -> None:
        assert refusal(Rules(Settings()), scheme="ws") == refusal(Rules(Settings()), scheme="http") == (200, "")
        strict = Rules(Settings(require_origin=True))
        assert refusal(strict, scheme="ws") == (403, NO_ORIGIN)
        assert refusal(strict, ("origin", "http://localhost"), scheme="ws") == (200, "")
        assert refusal(strict, scheme="http") == (200, "")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("DELETE", "/conversation"),
            ("POST", "/conversation/lessons"),
            ("DELETE", "/conversation/lessons/1"),
            ("POST", POLLING),
            ("GET", POLLING),
        ],
    )
    def test_a_foreign_page_gets_a_sentence_and_no_cookie(self, client: TestClient, method: str, path: str) -> None:
        response = client.request(method, path, headers={"Origin": OTHER})
        assert (response.status_code, response.json()) == (403, {"error": FOREIGN.format(OTHER)})
        assert "set-cookie" not in response.headers

    @pytest.mark.parametrize("path", ["/conversation", "/sio/socket.io/?EIO=4&transport=websocket", "/nowhere"])
    def test_so_it_does_for_a_websocket(self, client: TestClient, path: str) -> None:
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            client.websocket_connect(path, headers={"Origin": OTHER}),
        ):
            pass
        assert (denied.value.status_code, denied.value.json()) == (403, {"error": FOREIGN.format(OTHER)})
        assert "set-cookie" not in denied.value.headers


class TestProxies:
    @pytest.fixture
    def warnings(self, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
        caplog.set_level(logging.WARNING)
        return caplog

    def test_one_that_is_not_trusted_is_told_of_once(self, warnings: pytest.LogCaptureFixture) -> None:
        rules = Rules(Settings())
        for _ in range(3):
            rules.check(scope(("x-forwarded-for", "192.0.2.1"), client="10.0.0.5"))
        (said,) = warnings.messages
        assert said.startswith("10.0.0.5 sends X-Forwarded-For, and is not believed.")
        assert "DIEGO_TRUSTED_PROXIES=10.0.0.5:" in said

    @pytest.mark.parametrize(
        ("trusted", "forwarded"),
        [
            (["10.0.0.5"], ["192.0.2.1"]),
            (["10.0.0.0/8"], ["192.0.2.1, 10.9.9.9"]),
            (["10.0.0.5"], ["spoofed", "2001:db8::1"]),
            (["*"], ["192.0.2.1:4711, 10.9.9.9"]),
        ],
    )
    @pytest.mark.anyio
    async def test_of_one_that_is_trusted_nothing_is_said(
        self, warnings: pytest.LogCaptureFixture, trusted: list[str], forwarded: list[str]
    ) -> None:
        coming = scope(*(("x-forwarded-for", value) for value in forwarded), client="10.0.0.5")

        async def checked(scope: Any, _receive: Any, _send: Any) -> None:
            Rules(Settings()).check(scope)

        await ProxyHeadersMiddleware(checked, trusted)(coming, None, None)  # type: ignore[arg-type]
        assert coming["client"][0] != "10.0.0.5"
        assert warnings.messages == []


ClientWith = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture
def client_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ClientWith:
    """Makes a client of an app with these limits."""

    def with_limits(**limits: int) -> TestClient:
        monkeypatch.setenv("DIEGO_DATABASE_URL", url_in(tmp_path))
        for name, most in limits.items():
            monkeypatch.setenv(f"DIEGO_MAX_CONNECTIONS{name}", str(most))
        return TestClient(app, headers={"Upgrade": "websocket"})

    return with_limits


@pytest.mark.parametrize(
    ("limit", "status", "words"),
    [("", 503, FULL), ("_PER_ADDRESS", 429, "2 connections from your address"), ("_PER_VISITOR", 429, "You have 2")],
)
@pytest.mark.parametrize("path", ["/conversation", "/sio/socket.io/?EIO=4&transport=websocket"])
def test_one_connection_too_many_is_refused_until_another_ends(
    client_with: ClientWith, limit: str, status: int, words: str, path: str
) -> None:
    with client_with(**{limit: 2}) as client, ExitStack() as stack:
        client.get("/")  # for the cookie
        connections = [stack.enter_context(client.websocket_connect(path)) for _ in range(2)]
        with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect(path):
            pass
        assert denied.value.status_code == status
        assert words in denied.value.json()["error"]
        assert denied.value.headers["retry-after"] == "10"
        assert "set-cookie" not in denied.value.headers
        assert client.get("/client-count").status_code == 200
        connections[0].close()
        while True:
            try:
                stack.enter_context(client.websocket_connect(path))
            except WebSocketDenialResponse:
                continue
            break


@pytest.mark.parametrize("limit", ["", "_PER_ADDRESS", "_PER_VISITOR"])
def test_a_client_that_polls_has_a_place_until_its_session_is_over(client_with: ClientWith, limit: str) -> None:
    with client_with(**{limit: 1}) as client:
        client.get("/")
        for begin in (POLLING, f"{POLLING}&sid=", POLLING):
            assert client.get(f"{POLLING}&EIO=3").status_code == 400  # no session, so no place
            sid = client.get(begin).text.partition('"sid":"')[2].partition('"')[0]
            for again in (POLLING, f"{POLLING}&sid="):
                refused = client.get(again)
                assert refused.status_code == (429 if limit else 503)
                assert refused.headers["retry-after"] == "10"
            with pytest.raises(WebSocketDenialResponse), client.websocket_connect("/conversation"):
                pass
            assert client.post(f"{POLLING}&sid={sid}", content=b"40").status_code == 200
            assert client.post(f"{POLLING}&sid={sid}", content=b"1").status_code == 200


def test_nothing_is_looked_up_for_who_has_no_place(client_with: ClientWith) -> None:
    def looked_up(diary: Diary) -> str:
        raise AssertionError(diary)

    with (
        client_with(_PER_ADDRESS=1) as client,
        client.websocket_connect("/conversation"),
        providers.override(visitor_id=looked_up),
    ):
        assert client.get(POLLING).status_code == 429
        with pytest.raises(WebSocketDenialResponse), client.websocket_connect("/conversation"):
            pass
