"""How many clients are chatting, with this process or with all of them, and how those are told who want to know."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from chatbot.shared.link import Unreachable
from chatbot.shared.register import STALE_SECONDS, Count
from chatbot.web.places import Connections
from chatbot.web.tab import Tab

PAUSE_SECONDS = 1.0
"""How often it is told at most: who come and go within that time are told as one change."""

TOLD_AT_ONCE = 100
CROWD_PAUSE_SECONDS = 0.1
"""In a crowd 1,000 are told in a second, so that their replies do not wait for it."""

UNCOUNTED = "How many clients are chatting is not known at the moment: Redis does not answer. Please ask again later."
LATER = {"Retry-After": "2"}

PROCESS = "this"
"""What a process is called that is the only one."""


class Census(Protocol):
    """Who knows how many are chatting."""

    def last_count(self) -> int | None:
        """How many there were a moment ago; None if that is not known."""

    def count_from_thread(self) -> int | None:
        """How many there are now; None if that is not known. To be asked in a thread."""

    async def count(self) -> Count:
        """How many there are now. Raises Unreachable."""

    async def visitors(self) -> int:
        """How many visitors are connected. Raises Unreachable."""


class Alone:
    """The census of a process that is the only one."""

    def __init__(self, count_clients: Callable[[], int], connections: Connections) -> None:
        self._count_clients = count_clients
        self._connections = connections

    def last_count(self) -> int:
        """As of every census."""
        return self._count_clients()

    count_from_thread = last_count

    async def count(self) -> Count:
        """As of every census."""
        return Count({PROCESS: self._count_clients()}, time.time())

    async def visitors(self) -> int:
        """As of every census."""
        return self._connections.visitors


async def client_count(request: Request, census: Census) -> JSONResponse:
    """How many clients are chatting; with `?detail=1` also what that is made of."""
    try:
        count = await census.count()
        detail = await _detail(census, count) if request.query_params.get("detail") == "1" else {}
    except Unreachable:
        raise HTTPException(503, UNCOUNTED, LATER) from None
    return JSONResponse({"count": count.clients, **detail}, headers={"Cache-Control": "no-store"})


async def _detail(census: Census, count: Count) -> dict[str, object]:
    return {
        "visitors": await census.visitors(),
        "processes": count.processes,
        "as_of": count.as_of,
        "stale_seconds": STALE_SECONDS if len(count.processes) > 1 else 0,
    }


async def tell_count(clients: Collection[Tab], count_clients: Callable[[], int | None]) -> None:
    """Tell the clients how many are chatting whenever that changes, as long as this runs."""
    while True:
        for number, client in enumerate([*clients], 1):
            if (count := count_clients()) is not None:
                client.tell_count(count)
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(CROWD_PAUSE_SECONDS)
        await asyncio.sleep(PAUSE_SECONDS)
