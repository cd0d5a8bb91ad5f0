"""Requests of clients that poll, which may come to any process, and belong to the one that has the session."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from chatbot.shared.calls import Calls
from chatbot.shared.link import Unreachable

SECONDS = 30.0
"""How long the other process may take: a client waits for news, and gets a ping at last."""

_NAME = "poll"


class Polled(NamedTuple):
    """A request of a client that polls; what it sends, `body`, are packets of Engine.IO, which are text."""

    method: str
    scheme: str
    query: str
    headers: dict[str, str]
    body: str


class Answer(NamedTuple):
    """What it gets."""

    status: int
    headers: dict[str, str]
    body: str


class Relay:
    """How a process has another one answer. Each session's id begins with the name of the process that has it."""

    def __init__(self, process: str, calls: Calls) -> None:
        self._process = process
        self._calls = calls

    async def open(self, answer: Callable[[Polled], Awaitable[Answer]]) -> None:
        """Have what others ask answered by that function."""

        async def polled(question: list[Any]) -> Answer:
            return await answer(Polled(*question))

        await self._calls.serve(_NAME, polled)

    def new_id(self) -> str:
        """One for a session of this process."""
        return f"{self._process}.{secrets.token_urlsafe(15)}"

    async def ask(self, session: str, polled: Polled) -> Answer | None:
        """What the process answers that has the session; None if there is none, or it cannot be asked."""
        process, _, rest = session.partition(".")
        if not rest or process == self._process:
            return None
        try:
            return Answer(*await self._calls.ask(process, _NAME, polled, SECONDS))
        except Unreachable:
            return None
