import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from chatbot.web import history
from chatbot.web.history import MOST_POINTS, History, quantile
from chatbot.web.metrics import Times

INFINITE = float("inf")


@pytest.mark.parametrize(
    ("counts", "median", "p99"),
    [
        ([0, 0, 0, 0], None, None),
        ([100, 100, 100, 100], 0.5, 0.99),
        ([0, 100, 100, 100], 1.5, 1.99),
        ([50, 50, 100, 100], 1.0, 2 + 2 * 0.98),
        ([0, 0, 0, 100], 4.0, 4.0),
        ([0, 0, 1, 1], 3.0, 2 + 2 * 0.99),
    ],
)
def test_a_quantile_is_where_it_would_be_if_all_were_spread_evenly(
    counts: Sequence[float], median: float | None, p99: float | None
) -> None:
    buckets = list(zip((1.0, 2.0, 4.0, INFINITE), counts, strict=True))
    assert quantile(buckets, 0.5) == (median if median is None else pytest.approx(median))
    assert quantile(buckets, 0.99) == (p99 if p99 is None else pytest.approx(p99))


@pytest.fixture
def seconds() -> Times:
    return Times("x", "Of a test")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


async def watched(made: History, *, observed: Times) -> None:
    watching = asyncio.create_task(made.watch())
    await until(lambda: len(made.since(0)) >= 1)
    for _ in range(100):
        observed.observe(1.5)
    count = len(made.since(0))
    await until(lambda: len(made.since(0)) >= count + 2)
    watching.cancel()


def test_each_point_tells_of_what_came_since_the_one_before(seconds: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STEP_SECONDS", 0.01)
    made = History(lambda: 7, seconds)
    seconds.observe(0.5)  # before anybody looks
    asyncio.run(watched(made, observed=seconds))
    found = made.since(0)
    assert {point.clients for point in found} == {7}
    (busy,) = [point for point in found if point.replies]
    assert busy.median == pytest.approx(1.75)  # of what took more than 1 and at most 2.5 s
    assert busy.p99 == pytest.approx(2.485)
    assert 0 < busy.replies <= 100 / 0.01
    assert (found[-1].replies, found[-1].median, found[-1].p99) == (0, None, None)
    assert made.since(found[-2].at) == [found[-1]]
    assert time.time() - 60 < found[0].at < found[-1].at <= time.time()


def test_no_more_is_kept_than_ten_minutes(seconds: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_POINTS * history.STEP_SECONDS == 600
    monkeypatch.setattr(history, "STEP_SECONDS", 0.0)
    made = History(lambda: 0, seconds)

    async def long() -> None:
        watching = asyncio.create_task(made.watch())
        await until(lambda: len(made.since(0)) >= MOST_POINTS)
        first = made.since(0)[0]
        await until(lambda: made.since(0)[0] != first)
        watching.cancel()

    asyncio.run(long())
    assert len(made.since(0)) == MOST_POINTS
