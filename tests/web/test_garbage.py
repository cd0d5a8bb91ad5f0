import asyncio
import gc
import sys
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from types import SimpleNamespace

import psutil
import pytest

from chatbot.web import garbage
from chatbot.web.garbage import NEVER, collect_garbage

pytestmark = pytest.mark.anyio


class Circle:
    """What holds itself, and goes only when somebody looks."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks at everything each time."""
    monkeypatch.setattr(garbage, "ALL_SECONDS", 0.0)
    monkeypatch.setattr(garbage, "SHARE", 1e9)


@pytest.fixture
async def collecting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(garbage, "NEW_SECONDS", 0.001)
    task = asyncio.create_task(collect_garbage())
    await asyncio.sleep(0)
    gc.set_threshold(NEVER)  # it is not to find anything by itself
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def old_circle() -> "weakref.ref[Circle]":
    circle = Circle()
    gc.collect()
    return weakref.ref(circle)


async def is_gone(circle: "weakref.ref[Circle]") -> bool:
    for _ in range(100):
        if circle() is None:
            return True
        await asyncio.sleep(0.001)
    return False


@pytest.mark.usefixtures("collecting")
async def test_new_garbage_goes_however_little_there_is() -> None:
    assert await is_gone(weakref.ref(Circle()))


@pytest.mark.usefixtures("collecting")
async def test_what_is_old_is_not_looked_at_each_time() -> None:
    assert not await is_gone(old_circle())


@pytest.mark.usefixtures("at_once", "collecting")
async def test_but_now_and_then() -> None:
    assert await is_gone(old_circle())


async def test_how_long_a_look_at_everything_takes_decides_when_the_next_one_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, looks = 0.0, list[tuple[float, int]]()

    def look(generation: int = 2) -> None:
        nonlocal now
        looks.append((now, generation))
        now += 0.9 if generation == 2 else 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now > 3000:
            raise asyncio.CancelledError

    monkeypatch.setattr(garbage, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(garbage, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr("chatbot.web.garbage.gc.collect", look)
    with suppress(asyncio.CancelledError):
        await collect_garbage()
    everything = [at for at, generation in looks if generation == 2]
    assert everything == pytest.approx([600, 1500.9, 2401.8], abs=0.5)
    assert len(looks) == pytest.approx(30_000, rel=0.01)


async def test_python_does_not_look_at_everything_by_itself_until_the_app_ends() -> None:
    before = gc.get_threshold()
    task = asyncio.create_task(collect_garbage())
    await asyncio.sleep(0)
    assert gc.get_threshold() == (*before[:2], NEVER)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert gc.get_threshold() == before


@pytest.mark.skipif(sys.platform != "linux", reason="it is asked how much memory this process has in Linux' way")
async def test_what_was_freed_is_given_back() -> None:
    kept = [bytes(1000) for _ in range(100_000)]
    last = kept.pop()  # at the end of the heap, so that what is before it is not given back by itself
    before = psutil.Process().memory_info().rss
    kept.clear()
    garbage.give_back()
    assert psutil.Process().memory_info().rss < before - 50_000_000
    assert last
