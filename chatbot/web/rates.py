"""How much one may ask of Diego in a minute."""

import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from chatbot.messages import TOO_FAST, NotNow
from chatbot.shared.link import Link, Unreachable, Word

MINUTE = 60.0
MOST_KEYS = 100_000
"""So many buckets are kept at most, twice. Who has so many addresses gets nothing more by emptying those of before."""

MOST_REFUSALS = 20
"""How often in a row a client may be told to wait and go on nevertheless."""

WENT_ON = "You went on although you were told to wait. Please come back later."

CountAsked = Callable[[], Awaitable[None]]
"""Counts something that is asked over a connection. Raises NotNow, and does not count it, if that is too much."""


async def unlimited() -> None:
    """Nothing is too much."""


_NANOSECONDS = 1_000_000_000


class Rate:
    """For each key a bucket, full at first, of which every call takes a token; it refills steadily.

    A bucket is kept as the time at which it will be full again. One that was left alone for as long as it takes to
    refill is full, so those of the time before that are dropped, all at once. `most` 0 is as many as one likes.
    """

    def __init__(self, most: int, seconds: float = MINUTE) -> None:
        self._refill = round(seconds * _NANOSECONDS)
        self._token = self._refill // most if most else 0
        self._full_at: dict[str, int] = {}
        self._full_before: dict[str, int] = {}
        self._begun = 0

    def __len__(self) -> int:
        return len(self._full_at) + len(self._full_before)

    def seconds_left(self, key: str) -> float:
        """In how many seconds there is a token in the bucket; 0.0 if there is one."""
        left = self._seen(key) - time.monotonic_ns() + self._token - self._refill
        return left / _NANOSECONDS if left > 0 else 0.0

    def take(self, key: str) -> None:
        """Take a token."""
        if not self._token:
            return
        now = time.monotonic_ns()
        full_at = max(self._seen(key), now) + self._token
        if now - self._begun >= self._refill or len(self._full_at) >= MOST_KEYS:
            self._full_before, self._full_at, self._begun = self._full_at, {}, now
        self._full_at[key] = full_at

    def _seen(self, key: str) -> int:
        return self._full_at.get(key) or self._full_before.get(key, 0)


class Rates:
    """How much a visitor may ask in a minute, and all visitors of one address together; 0 is as much as they like.

    `note_refusal` is called for what is too much. With a link that is what is asked of all processes together.
    """

    def __init__(
        self, per_visitor: int, per_address: int, note_refusal: Callable[[], None], link: Link | None = None
    ) -> None:
        self._note_refusal = note_refusal
        self._link = link
        self._limits = {"visitor": per_visitor, "address": per_address}
        self._visitors = Rate(per_visitor)
        self._addresses = Rate(per_address)

    async def take(self, visitor: str, address: str) -> None:
        """Count something that is asked. Raises NotNow, and does not count it, if that is too much."""
        self._refuse(max(self._visitors.seconds_left(visitor), self._addresses.seconds_left(address)))
        if self._link:
            with suppress(Unreachable):
                self._refuse(await self._take_everywhere(self._link, visitor=visitor, address=address))
        self._visitors.take(visitor)
        self._addresses.take(address)

    async def _take_everywhere(self, link: Link, **keys: str) -> float:
        """Take a token for each; in how many seconds there would be one if there is none now."""
        buckets: list[Word] = []
        for name, key in keys.items():
            if self._limits[name]:
                buckets += f"rate:{name}:{key}", self._limits[name]
        left: int = await link.call("take", round(1000 * MINUTE), *buckets) if buckets else 0
        return left / 1000

    def _refuse(self, seconds: float) -> None:
        if seconds:
            self._note_refusal()
            raise NotNow(TOO_FAST, math.ceil(seconds))


class Patience:
    """Counts what one connection asks, and how often in a row that was too much."""

    __slots__ = ("_count_asked", "_refusals")

    def __init__(self, count_asked: CountAsked) -> None:
        self._count_asked = count_asked
        self._refusals = 0

    async def count_asked(self) -> None:
        """As every CountAsked."""
        try:
            await self._count_asked()
        except NotNow:
            self._refusals += 1
            raise
        self._refusals = 0

    @property
    def lost(self) -> bool:
        """Whether the client has gone on so often that the connection is to end."""
        return self._refusals >= MOST_REFUSALS
