"""The tabs that a visitor has open at other processes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from chatbot.shared.calls import Calls
from chatbot.shared.link import Unreachable
from chatbot.web.wire import Event

CHANGE = "change"
"""What the other processes are asked when what is kept of a visitor has changed: to look."""

CHANGE_SECONDS = 1.0
"""How long they may take."""


class Host(Protocol):
    """Who has the tabs of this process."""

    @property
    def last_number(self) -> int:
        """The number of the visitor's last turn, as far as it is known; 0 if it is not."""

    def hear_turn(self, number: int) -> None:
        """There is a turn of that number, if it is not known yet."""

    def hear_event(self, event: Event) -> None:
        """Something is to be shown."""


class Elsewhere:
    """How the processes at which a visitor has tabs tell each other what goes on.

    They say the number of each turn, which all find in the database, so that one that was not heard is not lost; and
    what is shown only for a moment. Nothing is said while nobody has been heard: most visitors have one tab.
    """

    def __init__(self, calls: Calls, visitor: str, host: Host) -> None:
        self._link = calls.link
        self._calls = calls
        self._visitor = visitor
        self._bell = f"visitor:{visitor}"
        self._host = host
        self._saying: set[asyncio.Task[None]] = set()
        self._tabs = 0
        self._company = False
        self._hanging: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Hear what the other processes say as long as a tab is open here, from before the block begins."""
        self._tabs += 1
        if self._hanging is None:
            self._hanging = asyncio.create_task(self._come())
        try:
            await asyncio.shield(self._hanging)
            yield
        finally:
            self._tabs -= 1
            if not self._tabs:
                self._hanging, self._company = None, False
                await self._link.take_down(self._bell)

    async def tell_turn(self, number: int) -> None:
        """Say that there is a turn of that number."""
        if self._company:
            await self._say(turn=number)

    async def tell_event(self, event: Event) -> None:
        """Have something shown there, too."""
        if self._company:
            await self._say(event=event)

    async def tell_change(self) -> None:
        """Say that what is kept of the visitor has changed; the others have looked when this is over."""
        with suppress(Unreachable):
            await self._calls.ask_others(CHANGE, self._visitor, CHANGE_SECONDS)

    async def ask(self) -> None:
        """Find out whether somebody is there, and what the last turn is."""
        await self._say()

    async def _come(self) -> None:
        await self._link.hang(self._bell, self._rung)
        await self.ask()

    async def _say(self, **said: object) -> None:
        with suppress(Unreachable):
            await self._link.ring(self._bell, json.dumps({"process": self._link.process, **said}))

    def _rung(self, text: str) -> None:
        said: dict[str, Any] = json.loads(text)
        if said["process"] == self._link.process:
            return
        self._company = True
        if "turn" in said:
            self._host.hear_turn(said["turn"])
        elif "event" in said:
            self._host.hear_event(Event(*said["event"]))
        else:
            answering = asyncio.create_task(self.tell_turn(self._host.last_number))
            self._saying.add(answering)
            answering.add_done_callback(self._saying.discard)
