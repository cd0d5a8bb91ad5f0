"""What a client, or the person who starts the server, gets to see of an error."""

import asyncio
import logging
import math
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from chatbot import SetupError
from chatbot.messages import APOLOGY, NotNow
from chatbot.web.headers import headers_for
from chatbot.web.logs import CONNECTION
from chatbot.web.metrics import Refusal, refused

logger = logging.getLogger(__name__)

INTERNAL_ERROR = 1011
SORRY = "Something went wrong on our side; it is in the log."


class Refused(HTTPException):
    """A connection or a request that the door keeps out; it is counted by its reason."""

    def __init__(self, reason: Refusal, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, sentence, headers)
        self.reason = reason


async def json_error(connection: HTTPConnection, error: Exception) -> JSONResponse:
    """An HTTPException as `{"error": sentence}`, with its status and headers. No cache may keep it."""
    assert isinstance(error, HTTPException)
    if isinstance(error, Refused):
        refused(connection.scope, error.reason)
    path, method = connection.scope["path"], connection.scope.get("method")
    sentence = {
        HTTPStatus.NOT_FOUND.phrase: f"There is nothing at {path}.",
        HTTPStatus.METHOD_NOT_ALLOWED.phrase: f"{path} does not take {method}.",
    }.get(error.detail, error.detail)
    headers = {**(error.headers or {}), "Cache-Control": "no-store"}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(connection))  # Starlette names those of the first route only
    return JSONResponse({"error": sentence}, error.status_code, headers)


def _methods(connection: HTTPConnection) -> list[str]:
    """What all routes of a path take together."""
    routes = [route for route in connection.app.routes if isinstance(route, Route)]
    here = [route for route in routes if route.matches(connection.scope)[0] is not Match.NONE]
    return sorted({method for route in here for method in route.methods or ()})


async def unavailable(connection: HTTPConnection, _error: Exception) -> Any:
    """That the database cannot be used at the moment, which is in the log; a WebSocket is denied or ended."""
    response = JSONResponse({"error": APOLOGY}, 503, {"Cache-Control": "no-store"})
    if not isinstance(connection, WebSocket):
        return response
    if connection.application_state is WebSocketState.CONNECTING:
        await connection.send_denial_response(response)
    elif connection.application_state is WebSocketState.CONNECTED:
        await connection.close(INTERNAL_ERROR, SORRY)
    return None


def json_busy(_request: Request, error: Exception) -> JSONResponse:
    """What may be asked again later as `{"error": sentence}`."""
    assert isinstance(error, NotNow)
    return JSONResponse({"error": str(error)}, 503, {**retry_after(error), "Cache-Control": "no-store"})


def retry_after(not_now: NotNow) -> dict[str, str]:
    """The header that says when to come again, in whole seconds."""
    return {"Retry-After": str(math.ceil(not_now.retry_after))}


async def json_server_error(request: Request, _error: Exception) -> JSONResponse:
    """Any other exception as `{"error": sentence}`."""
    return JSONResponse({"error": SORRY}, 500, headers_for(request.scope))  # this is said outside of the door


async def unknown_socket(ws: WebSocket) -> None:
    """Deny a WebSocket on a path that has none."""
    await ws.send_denial_response(JSONResponse({"error": f"There is no WebSocket at {ws.url.path}."}, 404))


class LastResort:
    """ASGI middleware for what Starlette leaves to the server: errors in WebSockets and while starting.

    It is the outermost, and so it also gives each connection, or request, the id by which the log knows it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; end a failed WebSocket with 1011, and let a SetupError be a sentence, not a traceback."""
        if scope["type"] != "lifespan":
            CONNECTION.set(secrets.token_hex(4))
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            with suppress(asyncio.CancelledError):  # the server stops and has cut the connection
                await self._app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        last_sent = ""

        async def watched(message: Message) -> None:
            nonlocal last_sent
            await send(message)
            last_sent = message["type"]

        try:
            await self._app(scope, receive, watched)
        except (WebSocketDisconnect, asyncio.CancelledError):
            pass  # the client has left, or the server stops and has cut the connection
        except Exception:
            if not last_sent:
                raise
            logger.exception("The WebSocket %s failed.", scope["path"])
            if last_sent != "websocket.close":
                with suppress(OSError):
                    await send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": SORRY})

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def plain(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                # Starlette sends the traceback, from the `except` block of the error.
                error = sys.exc_info()[1]
                if isinstance(error, SetupError):
                    message["message"] = f"Diego cannot start. {error}"
                elif isinstance(error, KeyboardInterrupt):
                    message["message"] = "Stopped before Diego was ready."
            await send(message)

        await self._app(scope, receive, plain)
