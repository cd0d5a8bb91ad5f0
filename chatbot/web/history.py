"""The last ten minutes in numbers, kept in the server so that a page shows them at once."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby, pairwise
from typing import NamedTuple

from chatbot.shared.calls import Calls
from chatbot.shared.link import Unreachable
from chatbot.web.metrics import Times

STEP_SECONDS = 2.0
MOST_POINTS = 300

OTHERS_SECONDS = 0.5
"""How long the other processes may take to tell what they have."""

LATE_SECONDS = 0.5
"""How much later than this process another may note a step: their clocks differ, and they may be busy."""

_NAME = "history"

Buckets = Sequence[tuple[float, float]]
"""How many replies have taken up to so many seconds, from the fewest seconds to infinitely many."""


class Point(NamedTuple):
    """What was at a time (s since 1970): clients, replies per second, and the seconds that half and 99 % took at most.

    Those are None if nobody got a reply.
    """

    at: float
    clients: int | None
    replies: float
    median: float | None
    p99: float | None


class _Step(NamedTuple):
    """What a process has to say of a step that ended at that time: as of a point, and how many replies took how long.

    There is a count for each bucket.
    """

    at: float
    seconds: float
    clients: int | None
    counts: Sequence[float]


class History:
    """The points of the last ten minutes. Steps end at the same times in all processes, which are added up."""

    def __init__(self, count_clients: Callable[[], int | None], reply_times: Times, calls: Calls | None = None) -> None:
        self._count_clients = count_clients
        self._reply_times = reply_times
        self._calls = calls
        self._steps: deque[_Step] = deque(maxlen=MOST_POINTS)

    async def open(self) -> None:
        """Tell the others, whenever they ask."""
        if self._calls:
            await self._calls.serve(_NAME, self._answer)

    async def since(self, at: float) -> list[Point]:
        """The points after a time (s since 1970), without those that others may not have yet."""
        steps = self._since(at)
        if self._calls:
            with suppress(Unreachable):
                others = await self._calls.ask_others(_NAME, at, OTHERS_SECONDS)
                steps += [_Step(*step) for answer in others for step in answer]
            steps = [step for step in steps if step.at < time.time() - LATE_SECONDS]
        steps.sort(key=lambda step: step.at)
        return [self._point([*together]) for _, together in groupby(steps, key=lambda step: step.at)]

    def _since(self, at: float) -> list[_Step]:
        return [step for step in self._steps if step.at > at]

    async def _answer(self, at: float) -> list[_Step]:
        return self._since(at)

    def _point(self, steps: Sequence[_Step]) -> Point:
        bounds = [bound for bound, _ in self._buckets()]
        counts = [sum(together) for together in zip(*(step.counts for step in steps), strict=True)]
        buckets = [*zip(bounds, counts, strict=True)]
        clients = next((step.clients for step in steps if step.clients is not None), None)
        replies = counts[-1] / max(step.seconds for step in steps)
        return Point(steps[0].at, clients, replies, quantile(buckets, 0.5), quantile(buckets, 0.99))

    async def watch(self) -> None:
        """Note a step every few seconds, as long as this runs."""
        before, then = self._buckets(), time.monotonic()
        while True:
            await asyncio.sleep(STEP_SECONDS - time.time() % STEP_SECONDS)
            now, clock = self._buckets(), time.monotonic()
            counts = [count - old for (_, count), (_, old) in zip(now, before, strict=True)]
            at = round(time.time() / STEP_SECONDS) * STEP_SECONDS
            self._steps.append(_Step(at, clock - then, self._count_clients(), counts))
            before, then = now, clock

    def _buckets(self) -> Buckets:
        (metric,) = self._reply_times.collect()
        samples = [sample for sample in metric.samples if sample.name.endswith("_bucket")]
        return [(float(sample.labels["le"]), sample.value) for sample in samples]


def quantile(buckets: Buckets, share: float) -> float | None:
    """Within how many seconds that share of the replies came, as evenly spread within its bucket; None without any."""
    wanted = share * buckets[-1][1]
    for (low, below), (high, count) in pairwise([(0.0, 0.0), *buckets]):
        if count >= wanted > below:
            return low if high == float("inf") else low + (high - low) * (wanted - below) / (count - below)
    return None
