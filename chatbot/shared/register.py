"""What each process says of itself, and how many are connected to all of them.

The truth is in each process; Redis only has what each said last, which is not believed of one that does not live. So no
count drifts, whatever is killed, and a Redis that was emptied knows everything again when all have said it anew.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Literal, NamedTuple

from chatbot.shared.link import CALL_SECONDS, Link, Unreachable, Word

LOOK_SECONDS = 0.02
"""How often it is looked whether something has changed."""

BEAT_SECONDS = 2.0
"""How often a process says that it lives."""

STALE_SECONDS = 6.0
"""How long who was connected may be counted after the machine has vanished, and so `processes.lua` says. Those of a
process that ends are not counted from then on, and what changes otherwise is known after 0.02 s."""

COUNT_SECONDS = 0.5
"""How often it is asked how many are connected, for those who want to know it at once."""

KNOWN_SECONDS = 2.0
"""How long that is believed."""

VISITORS_SECONDS = 5.0
"""How old the number of visitors may be."""

CLIENTS, ALL, ADDRESS, VISITOR, NAME = "clients", "all", "address", "visitor", "name"
"""What a process says: how many tabs chat with Diego; how many connections there are, of each address and of each
visitor; and who is in the room. These are the kinds of `processes.lua`."""


Fact = tuple[str, str]
"""The kind of a fact, and its name."""

Standing = Literal["new", "known", "back"]
"""What a process is to Redis: one that has said nothing yet, that has said all, or that could not reach it for a while.
"""


class Count(NamedTuple):
    """How many are connected to each process, by their names, and when: seconds since 1970, by Redis' clock."""

    processes: dict[str, int]
    as_of: float

    @property
    def clients(self) -> int:
        """How many that are together."""
        return sum(self.processes.values())


class Here(NamedTuple):
    """Somebody who is in the room: the name, and since when, in ms since 1970."""

    name: str
    since: int


class Register:
    """What this process says of itself, and what is known of all."""

    def __init__(self, link: Link, count_clients: Callable[[], int]) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._count_clients = count_clients
        self._facts: dict[Fact, Word] = {}
        self._changed: set[Fact] = set()
        self._standing: Standing = "new"
        self._last: tuple[float, int] | None = None
        self._visitors = 0
        self._visitors_counted_at = -VISITORS_SECONDS
        link.on_up.append(self._come)

    async def open(self) -> None:
        """Begin to be counted: first Redis is told of this process, so that it is not one more that nobody knows."""
        with suppress(Unreachable):
            await self.say_changes()
        # By these Redis knows how many there are, and that this is one of them, until the kernel closes its socket.
        for bell in ("alive", f"alive:{self._link.process}"):
            await self._link.hang(bell, _ignore)

    async def run(self) -> None:
        """Say what changes as long as this runs."""
        said_at = counted_at = 0.0
        while True:
            now = time.monotonic()
            with suppress(Unreachable):
                if self._look() or now - said_at >= BEAT_SECONDS:
                    said_at = now
                    await self._say()
                if now - counted_at >= COUNT_SECONDS:
                    counted_at = now
                    await self.count()
            await asyncio.sleep(LOOK_SECONDS)

    def count_from_thread(self) -> int | None:
        """How many are connected now; None if that is not known. To be asked in a thread, which waits."""
        counting = asyncio.run_coroutine_threadsafe(self.count(), self._loop)
        try:
            return counting.result(2 * CALL_SECONDS).clients
        except (Unreachable, TimeoutError, CancelledError):
            return None

    def last_count(self) -> int | None:
        """How many were connected a moment ago; None if that is not known."""
        at, clients = self._last or (0.0, 0)
        return clients if self._last and time.monotonic() - at <= KNOWN_SECONDS else None

    async def count(self) -> Count:
        """How many are connected now. Raises Unreachable, also while it is not certain."""
        await self.say_changes()
        is_certain, now, *counts = await self._link.call("count")
        if not is_certain:
            raise Unreachable
        count = Count(dict(zip(counts[::2], counts[1::2], strict=True)), now / 1000)
        self._last = time.monotonic(), count.clients
        return count

    async def visitors(self) -> int:
        """How many visitors were connected some seconds ago, in however many tabs. Raises Unreachable.

        Redis needs some 0.1 s for each 100,000 to find out, and does nothing else meanwhile.
        """
        if time.monotonic() - self._visitors_counted_at > VISITORS_SECONDS:
            await self.say_changes()
            self._visitors = await self._link.call("distinct", VISITOR)
            self._visitors_counted_at = time.monotonic()
        return self._visitors

    async def total(self, kind: str, name: str) -> int:
        """What all processes say of something that they count. Raises Unreachable."""
        await self.say_changes()
        total: int = await self._link.call("total", kind, name)
        return total

    async def claim(self, visitor: str, name: str, key: str, *, is_reserved: bool) -> Here | None:
        """The name that a visitor has in the room, who wants that one or, if it is empty, any; None if it is another's.

        `key` is the same for names that look the same. One that is reserved may be had by who has it elsewhere. Raises
        Unreachable.
        """
        claimed = await self._link.call("claim", self._link.process, visitor, name, key, int(is_reserved))
        return Here(*claimed) if claimed else None

    async def people(self) -> dict[str, Here]:
        """Those who are in the room at other processes, by the keys of their names. Raises Unreachable, as `count`."""
        await self.say_changes()
        is_certain, *people = await self._link.call("people", self._link.process)
        if not is_certain:
            raise Unreachable
        return {key: Here(name, since) for key, name, since in zip(*[iter(people)] * 3, strict=True)}

    def note(self, kind: str, name: str, value: Word) -> None:
        """Say that from now on; an empty text says that it is over."""
        self._facts[kind, name] = value
        self._changed.add((kind, name))

    def _look(self) -> bool:
        """Whether something is to be said."""
        clients = self._count_clients()
        if self._facts.get((CLIENTS, "")) != clients:
            self.note(CLIENTS, "", clients)
        return bool(self._changed)

    async def say_changes(self) -> None:
        """Say what has changed, now. Raises Unreachable."""
        if self._look():
            await self._say()

    async def _say(self) -> None:
        saying, self._changed = self._changed, set()
        facts = [word for fact in saying for word in (":".join(fact), self._facts[fact])]
        try:
            is_noted = await self._link.call("beat", self._link.process, self._standing, *facts)
        except Unreachable:
            self._changed |= saying
            raise
        for fact in saying - self._changed:
            if self._facts.get(fact) == "":
                del self._facts[fact]
        if not is_noted:
            self._say_all("new")
            await self._say()
        self._standing = "known"

    def _come(self) -> None:
        """Redis answers, for the first time or again."""
        self._say_all("new" if self._standing == "new" else "back")

    def _say_all(self, standing: Standing) -> None:
        self._standing = standing
        self._changed = {*self._facts}


def _ignore(_text: str) -> None:
    """That somebody hears it is enough."""
