import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from chatbot.shared.calls import Calls
from chatbot.web import history
from chatbot.web.history import MOST_POINTS, History, Point, quantile
from chatbot.web.metrics import Times
from tests.processes import needs
from tests.redis import Redis, linked

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


async def until(made: History, condition: Callable[[list[Point]], bool]) -> list[Point]:
    async with asyncio.timeout(60):
        while not condition(points := await made.since(0)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
    return points


async def watched(made: History, *, observed: Times) -> list[Point]:
    watching = asyncio.create_task(made.watch())
    await until(made, lambda points: len(points) >= 1)
    for _ in range(100):
        observed.observe(1.5)
    count = len(await made.since(0))
    found = await until(made, lambda points: len(points) >= count + 2)
    watching.cancel()
    assert await made.since(found[-2].at) == [found[-1]]
    return found


def test_each_point_tells_of_what_came_since_the_one_before(seconds: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STEP_SECONDS", 0.05)
    made = History(lambda: 7, seconds)
    seconds.observe(0.5)  # before anybody looks
    found = asyncio.run(watched(made, observed=seconds))
    assert {point.clients for point in found} == {7}
    (busy,) = [point for point in found if point.replies]
    assert busy.median == pytest.approx(1.75)  # of what took more than 1 and at most 2.5 s
    assert busy.p99 == pytest.approx(2.485)
    assert 0 < busy.replies <= 100 / 0.01
    assert (found[-1].replies, found[-1].median, found[-1].p99) == (0, None, None)
    assert time.time() - 60 < found[0].at < found[-1].at <= time.time() + 0.05


def test_no_more_is_kept_than_ten_minutes(seconds: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_POINTS * history.STEP_SECONDS == 600
    monkeypatch.setattr(history, "STEP_SECONDS", 0.002)
    made = History(lambda: 0, seconds)

    async def long() -> list[Point]:
        watching = asyncio.create_task(made.watch())
        first, *_ = await until(made, lambda points: len(points) > MOST_POINTS // 2)
        found = await until(made, lambda points: points[0] != first)
        watching.cancel()
        return found

    assert len(asyncio.run(long())) <= MOST_POINTS


@needs("redis-server")
@pytest.mark.anyio
async def test_all_processes_are_added_up(shared_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STEP_SECONDS", 0.2)
    seconds = [Times(f"x{number}", "Of a test") for number in range(2)]
    async with linked(shared_redis.url(999)) as one, linked(shared_redis.url(999)) as other:
        made = []
        for link, times in zip((one, other), seconds, strict=True):
            calls = Calls(link)
            await calls.open()
            made.append(History(lambda: 7, times, calls))
            await made[-1].open()
        watching = [asyncio.create_task(each.watch()) for each in made]
        await asyncio.sleep(0.2 - time.time() % 0.2 + 0.05)
        for times in seconds:
            for number in range(50):
                times.observe(0.003 if number % 2 else 1.5)
        points = await until(made[0], lambda points: any(point.replies for point in points))
        assert await made[1].since(0) == await made[0].since(0)
        for task in watching:
            task.cancel()
    (busy,) = [point for point in points if point.replies]
    assert busy.replies == pytest.approx(100 / 0.2, rel=0.5)
    assert busy.p99 == pytest.approx(2.5, abs=0.1)
    assert busy.clients == 7
