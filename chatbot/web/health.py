"""Whether Diego lives and whether he is ready, for what restarts him and for what sends him visitors."""

import asyncio
import sqlite3
import time
from collections.abc import Collection, Mapping
from contextlib import closing, suppress

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from chatbot.bot.database import database_path, is_file, problem_of
from chatbot.web.sockets import LATER, RESTARTS
from chatbot.web.threads import Threads

PROBES = ("/healthz", "/readyz")

KEPT_SECONDS = 1.0
"""How long an answer of the databases counts, so that probes cost nothing however many come."""

MOST_SECONDS = 1.0
"""How long the databases may take."""

READINESS = "readiness"
"""Where the app's lifespan state holds whether he is ready."""

NO_ANSWER = f"The databases have not answered within {MOST_SECONDS:.0f} s."

_HEADERS = {"Cache-Control": "no-store"}
_LATER = {**_HEADERS, **LATER}


class Readiness:
    """Whether visitors may come. That there is one says that Diego is trained."""

    def __init__(self, threads: Threads, databases: Collection[str]) -> None:
        self.draining = False
        self._threads = threads
        self._databases = {url: _identity(url) for url in databases}
        self._asked_at = 0.0
        self._answer: asyncio.Future[str | None] | None = None

    async def problem(self) -> str | None:
        """A sentence that says why he is not ready, None if he is."""
        if self.draining:
            return RESTARTS
        answer = self._answer
        if answer is None or (answer.done() and time.monotonic() - self._asked_at > KEPT_SECONDS):
            self._asked_at = time.monotonic()
            answer = self._answer = self._threads.run(_problem_of, self._databases)
        # While one does not answer, no other is asked: each would hold a thread.
        await asyncio.wait([answer], timeout=max(0.0, self._asked_at + MOST_SECONDS - time.monotonic()))
        return answer.result() if answer.done() else NO_ANSWER


def _problem_of(databases: Mapping[str, object]) -> str | None:
    """What is wrong with the first database that cannot be read, or is another file than at the start.

    What is kept in a file that is not there any more would be lost.
    """
    for url, identity in databases.items():
        if not is_file(url):
            return problem_of(url)
        path = database_path(url)
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
                database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            return f"The database {path.name} cannot be read: {error}."
        if _identity(url) != identity:
            return f"The database {path.name} is another file than when Diego was started: restart him."
    return None


def _identity(url: str) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None if there is none."""
    with suppress(OSError):
        status = database_path(url).stat()
        return status.st_dev, status.st_ino
    return None


async def healthz(_request: object) -> JSONResponse:
    """That the process lives and its event loop turns."""
    return JSONResponse({"status": "ok"}, headers=_HEADERS)


async def readyz(readiness: Readiness) -> JSONResponse:
    """Whether visitors may come."""
    if problem := await readiness.problem():
        raise HTTPException(503, problem, _LATER)
    return JSONResponse({"status": "ok"}, headers=_HEADERS)


class NoNewSockets:
    """ASGI middleware that lets no WebSocket in while the server stops; who comes is told when to come again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or deny."""
        readiness: Readiness | None = scope.get("state", {}).get(READINESS)
        if scope["type"] == "websocket" and readiness and readiness.draining:
            await WebSocket(scope, receive, send).send_denial_response(JSONResponse({"error": RESTARTS}, 503, _LATER))
        else:
            await self._app(scope, receive, send)
