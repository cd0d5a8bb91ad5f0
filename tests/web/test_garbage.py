import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

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


@pytest.mark.usefixtures("collecting")
async def test_but_it_goes_within_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "ALL_SECONDS", 0.0)
    assert await is_gone(old_circle())


async def test_python_does_not_look_at_everything_by_itself() -> None:
    task = asyncio.create_task(collect_garbage())
    await asyncio.sleep(0)
    assert gc.get_threshold()[2] == NEVER
    task.cancel()
