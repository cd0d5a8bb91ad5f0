"""What the door costs: `python -m benchmarks.door` prints a table in Markdown.

Each figure is processor time, that of the fastest of many rounds, with an app behind the door that does next to
nothing.
"""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.tables import table
from chatbot.settings import Settings
from chatbot.web.door import CONNECTIONS, RULES, Door, Rules
from chatbot.web.places import Connections

ROUNDS = 20
TIMES = 2000
MESSAGES = 1000

HEADERS = [
    (b"host", b"chat.example.org"),
    (b"connection", b"keep-alive"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    (b"accept", b"*/*"),
    (b"accept-language", b"en-US,en;q=0.9"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"cookie", b"diego=" + b"x" * 90),
    (b"origin", b"http://chat.example.org"),
]


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An app that answers a request."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hi"})


async def come_and_go(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """An app that does nothing."""


async def talk(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An app that sends many messages."""
    for _ in range(MESSAGES):
        await send({"type": "websocket.send", "text": "Hi"})


async def receive() -> Message:
    """Nothing that anybody waits for."""
    return {}


async def send(_message: Message) -> None:
    """To nobody."""


async def microseconds(app: ASGIApp, scope: Scope, times: int) -> float:
    """How long the app takes once."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(times):
            await app(scope, receive, send)
        fastest = min(fastest, time.process_time() - started)
    return 1e6 * fastest / times


async def measure() -> list[list[str]]:
    """The rows of the table."""
    settings = Settings(allowed_hosts=("chat.example.org",))
    state = {RULES: Rules(settings), CONNECTIONS: Connections(settings)}
    coming = {"path": "/", "headers": HEADERS, "client": ("2001:db8::1", 4711), "state": state}
    request = {**coming, "type": "http", "scheme": "http", "method": "POST"}
    web_socket = {**coming, "type": "websocket", "scheme": "ws"}
    rows = []
    for name, app, scope, times, parts in (
        ("a request", answer, request, TIMES, 1),
        ("the handshake of a WebSocket", come_and_go, web_socket, TIMES, 1),
        ("a message", talk, web_socket, TIMES // 100, MESSAGES),
    ):
        cost = await microseconds(Door(app), scope, times) - await microseconds(app, scope, times)
        rows.append([name, f"{cost / parts:.2f}"])
    return rows


if __name__ == "__main__":
    print(table(["what", "costs µs more"], asyncio.run(measure())))
