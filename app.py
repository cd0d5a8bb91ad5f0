"""Diego over a WebSocket: `python app.py` serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, WebSocketRoute

from chatbot.bot.database import DatabaseUnavailable
from chatbot.messages import NotNow
from chatbot.providers import STATE_KEY
from chatbot.web import errors, health, insights, metrics, pages, rest, room
from chatbot.web.counting import Census, client_count, tell_count
from chatbot.web.door import CONNECTIONS, RULES, Door
from chatbot.web.garbage import collect_garbage, settle
from chatbot.web.health import READINESS
from chatbot.web.metrics import METRICS
from chatbot.web.openapi import openapi
from chatbot.web.operators import OPERATORS, OperatorRoute
from chatbot.web.server import CLIENTS, ROOM, main
from chatbot.web.tab import Tab
from chatbot.web.tasks import keep_up
from chatbot.web.visitors import Chatbot, Visitor
from providerconf import SaveClient, providers

BEFORE_VIEWS = (CLIENTS, ROOM, READINESS, METRICS, OPERATORS, RULES, CONNECTIONS)
"""The app-scoped providers whose values what stands before the views finds in the lifespan state."""


async def converse(diego: Chatbot, visitor: Visitor, tab: Tab, save_client: SaveClient) -> None:
    """Diego replies to every message of a visitor, in order, until the visitor leaves."""
    with save_client(tab):
        async with visitor.at(tab):
            async for asked in tab:
                await visitor.ask(diego, asked, tab)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    """Check the wiring of the views, build what lives as long as the app, and close it at the end."""
    async with providers.app_lifetime(app.routes) as values:
        settle()
        clients: set[Tab] = await values.get("clients")
        census: Census = await values.get("census")
        tasks = keep_up(tell_count, clients, census.last_count), keep_up(collect_garbage)
        under_way = [*map(asyncio.create_task, tasks)]
        yield {STATE_KEY: values, **{name: await values.get(name) for name in BEFORE_VIEWS}}
        for task in under_way:
            task.cancel()


limited = partial(providers.inject, uses=["within_limits"])

app = Starlette(
    routes=[
        Route("/", providers.inject(pages.home), middleware=pages.COMPRESSED),
        Route("/room", providers.inject(pages.room), middleware=pages.COMPRESSED),
        Mount("/static", pages.static, middleware=pages.COMPRESSED),
        Route("/socket.io/socket.io.js", pages.socket_io, middleware=pages.COMPRESSED),
        Route("/healthz", health.healthz),
        Route("/readyz", providers.inject(health.readyz)),
        Route("/client-count", providers.inject(client_count)),
        Route("/metrics", providers.inject(metrics.show)),
        Route("/openapi.json", openapi),
        Route("/conversation", pages.upgrade_required),
        Route("/conversation", limited(rest.forget), methods=["DELETE"]),
        Route("/conversation/history", limited(rest.history)),
        Route("/conversation/lessons", limited(rest.lessons)),
        Route("/conversation/lessons", limited(rest.teach), methods=["POST"]),
        Route("/conversation/lessons/{number}", limited(rest.unteach), methods=["DELETE"]),
        Route("/conversation/why", limited(rest.why)),
        Route("/conversation/export", limited(rest.export)),
        OperatorRoute("/insights", providers.inject(insights.page), middleware=pages.COMPRESSED),
        OperatorRoute("/insights/session", providers.inject(insights.sign_in), methods=["POST"]),
        OperatorRoute("/insights/session", providers.inject(insights.sign_out), methods=["DELETE"]),
        OperatorRoute("/insights/numbers", providers.inject(insights.numbers)),
        OperatorRoute("/insights/unanswered", providers.inject(insights.unanswered)),
        OperatorRoute("/insights/doubtful", providers.inject(insights.doubtful)),
        OperatorRoute("/insights/answers", providers.inject(insights.give_answer), methods=["POST"]),
        OperatorRoute("/insights/dismissals", providers.inject(insights.dismiss), methods=["POST"]),
        OperatorRoute("/insights/lessons", providers.inject(insights.lessons)),
        OperatorRoute("/insights/lessons/{number:int}", providers.inject(insights.decide), methods=["POST"]),
        Route("/sio/socket.io/", providers.inject(room.polling), methods=["GET", "POST", "OPTIONS"]),
        WebSocketRoute("/sio/socket.io/", providers.inject(room.web_socket)),
        WebSocketRoute("/conversation", providers.inject(converse)),
        WebSocketRoute("/{path:path}", errors.unknown_socket),
    ],
    middleware=[Middleware(errors.LastResort), Middleware(Door), Middleware(health.NoNewSockets)],
    exception_handlers={
        HTTPException: errors.json_error,
        NotNow: errors.json_busy,
        DatabaseUnavailable: errors.unavailable,
        Exception: errors.json_server_error,
    },
    lifespan=lifespan,
)

if __name__ == "__main__":
    main("app:app")
