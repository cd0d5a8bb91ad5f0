"""The last ten minutes in numbers, kept in the server so that a page shows them at once."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from chatbot.web.metrics import Times

STEP_SECONDS = 2.0
MOST_POINTS = 300

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


class History:
    """The points of the last ten minutes."""

    def __init__(self, count_clients: Callable[[], int | None], reply_times: Times) -> None:
        self._count_clients = count_clients
        self._reply_times = reply_times
        self._points: deque[Point] = deque(maxlen=MOST_POINTS)

    def since(self, at: float) -> list[Point]:
        """The points after a time (s since 1970)."""
        return [point for point in self._points if point.at > at]

    async def watch(self) -> None:
        """Add a point every few seconds, as long as this runs."""
        before, then = self._buckets(), time.monotonic()
        while True:
            await asyncio.sleep(STEP_SECONDS)
            now, clock = self._buckets(), time.monotonic()
            new = [(bound, count - old) for (bound, count), (_, old) in zip(now, before, strict=True)]
            replies = new[-1][1] / (clock - then)
            median, p99 = quantile(new, 0.5), quantile(new, 0.99)
            self._points.append(Point(time.time(), self._count_clients(), replies, median, p99))
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
