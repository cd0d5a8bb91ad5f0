"""The pages for browsers."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from chatbot.messages import MAX_CHARACTERS
from chatbot.web.people import MOST_NAME_CHARACTERS
from chatbot.web.texts import preferred_language, texts

HERE = Path(__file__).parent
SOCKET_IO = HERE.parent.parent / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js"
"""The browser's part of Socket.IO, where npm installs it."""

# Nothing but what this server has, and no page of another in which this one could be shown.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
COMPRESSED = (Middleware(GZipMiddleware, compresslevel=6),)
"""A page and its files then weigh a third. There is no secret in a page that its length could tell."""

REVALIDATED = {"Cache-Control": "no-cache"}
"""Browsers keep a file, but ask each time whether it is still right."""

HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Vary": "Accept-Language"}

_templates = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
)


async def home(request: Request, visitor_headers: dict[str, str]) -> Response:
    """The page that chats."""
    return render(request, "chat.html", visitor_headers)


async def room(request: Request, visitor_headers: dict[str, str]) -> Response:
    """The page of the room."""
    return render(request, "room.html", visitor_headers, has_library=SOCKET_IO.exists(), most_name=MOST_NAME_CHARACTERS)


async def socket_io(_request: Request) -> Response:
    """The browser's part of Socket.IO."""
    if not SOCKET_IO.exists():
        raise HTTPException(404, "The package socket.io-client is not installed here. Install it: npm ci --omit=dev")
    return FileResponse(SOCKET_IO, headers=REVALIDATED)


def render(request: Request, template: str, headers: dict[str, str], **values: object) -> Response:
    """A page in the language of whoever asks."""
    language = preferred_language(request.headers.get("accept-language", ""))
    context: dict[str, Any] = {
        "language": language,
        "texts": texts(language),
        "most_characters": MAX_CHARACTERS,
        "conversation_url": conversation_url(request),
        **values,
    }
    return _templates.TemplateResponse(
        request, template, context, headers={**headers, **HEADERS, "Content-Language": language}
    )


class Static(StaticFiles):
    """The files that the pages need."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file, or that it has not changed."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(REVALIDATED)
        return response


static = Static(directory=HERE / "static")


async def upgrade_required(request: Request) -> JSONResponse:
    """The answer to an ordinary request where a WebSocket is."""
    sentence = f"This is a WebSocket. Open {conversation_url(request)} with a WebSocket client, such as client.py."
    return JSONResponse({"error": sentence}, 426, {"Upgrade": "websocket", "Connection": "Upgrade"})


def conversation_url(request: Request) -> str:
    """Where the WebSocket is."""
    scheme = "wss" if request.url.scheme == "https" else "ws"
    return str(request.url.replace(scheme=scheme, path="/conversation", query=""))
