"""The plain parts of HTTP."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse

HOME = """\
This is Diego, a chatbot. To chat with him:

    python client.py {url}

or open that address with any WebSocket client and send him a line of text. How many are chatting: /client-count
"""


async def home(request: Request, visitor_headers: dict[str, str]) -> PlainTextResponse:
    """How to chat."""
    return PlainTextResponse(HOME.format(url=_conversation_url(request)), headers=visitor_headers)


async def upgrade_required(request: Request) -> JSONResponse:
    """The answer to an ordinary request where a WebSocket is."""
    sentence = f"This is a WebSocket. Open {_conversation_url(request)} with a WebSocket client, such as client.py."
    return JSONResponse({"error": sentence}, 426, {"Upgrade": "websocket", "Connection": "Upgrade"})


def _conversation_url(request: Request) -> str:
    scheme = "wss" if request.url.scheme == "https" else "ws"
    return str(request.url.replace(scheme=scheme, path="/conversation", query=""))
