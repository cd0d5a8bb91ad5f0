"""Diego over a WebSocket: `python app.py` serves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from chatbot.providers import STATE_KEY
from chatbot.web import errors, pages
from chatbot.web.conversation import Chatbot, Conversation
from chatbot.web.server import CLIENTS, main
from providerconf import SaveClient, providers


async def converse(conversation: Conversation, diego: Chatbot, save_client: SaveClient) -> None:
    """Diego replies to every message of a client, in order, until the client leaves."""
    with save_client(conversation):
        async for prompt in conversation:
            await conversation.reply(diego, prompt)


async def client_count(clients: set[Conversation]) -> JSONResponse:
    """How many clients are chatting."""
    return JSONResponse({"count": len(clients)})


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    """Check the wiring of the views, build what lives as long as the app, and close it at the end."""
    async with providers.app_lifetime(app.routes) as values:
        yield {STATE_KEY: values, CLIENTS: await values.get("clients")}


app = Starlette(
    routes=[
        Route("/", pages.home),
        Route("/client-count", providers.inject(client_count)),
        Route("/conversation", pages.upgrade_required),
        WebSocketRoute("/conversation", providers.inject(converse)),
        WebSocketRoute("/{path:path}", errors.unknown_socket),
    ],
    middleware=[Middleware(errors.LastResort)],
    exception_handlers={HTTPException: errors.json_error, Exception: errors.json_server_error},
    lifespan=lifespan,
)

if __name__ == "__main__":
    main("app:app")
