"""What every response tells browsers to be strict about."""

from collections.abc import Awaitable, Mapping

from starlette.types import Message, Scope, Send

HSTS_SECONDS = 365 * 24 * 3600

_STARTS = ("http.response.start", "websocket.http.response.start")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    # For what is no page; the pages bring one that lets in what they need.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    # Pages of the allowed origins ask with CORS, which this does not touch.
    (b"cross-origin-resource-policy", b"same-origin"),
)
_TLS_HEADERS = (*_HEADERS, (b"strict-transport-security", f"max-age={HSTS_SECONDS}".encode()))


def headers_for(scope: Scope) -> Mapping[str, str]:
    """The headers of a response that needs none of its own."""
    return {name.decode(): value.decode() for name, value in _headers(scope)}


def sending_headers(scope: Scope, send: Send) -> Send:
    """`send` that adds to a response those of the headers that it does not have."""
    headers = _headers(scope)

    def send_with_headers(message: Message) -> Awaitable[None]:
        if message["type"] in _STARTS:
            given = [*message.get("headers", ())]
            names = {name.lower() for name, _ in given}
            message["headers"] = [*given, *(header for header in headers if header[0] not in names)]
        return send(message)

    return send_with_headers


def _headers(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    return _TLS_HEADERS if scope["scheme"] in ("https", "wss") else _HEADERS
