import asyncio

import pytest

from chatbot.web.inbox import Inbox

pytestmark = pytest.mark.anyio


async def begun(task: asyncio.Task[object]) -> asyncio.Task[object]:
    """A task that has come as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_what_is_put_is_taken_in_order() -> None:
    inbox: Inbox[int] = Inbox(3)
    for number in range(3):
        await inbox.put(number)
    assert [await inbox.take() for _ in range(3)] == [0, 1, 2]


async def test_who_takes_waits_for_something() -> None:
    inbox: Inbox[int] = Inbox(3)
    taking = await begun(asyncio.create_task(inbox.take()))
    assert not taking.done()
    await inbox.put(1)
    assert await taking == 1


async def test_who_puts_waits_for_room() -> None:
    inbox: Inbox[int] = Inbox(1)
    await inbox.put(1)
    putting = await begun(asyncio.create_task(inbox.put(2)))
    assert not putting.done()
    assert await inbox.take() == 1
    await putting
    assert await inbox.take() == 2


async def test_at_the_end_what_is_left_is_taken_and_nobody_waits() -> None:
    inbox: Inbox[int] = Inbox(2)
    await inbox.put(1)
    inbox.end()
    assert [await inbox.take() for _ in range(3)] == [1, None, None]


async def test_the_end_wakes_who_takes() -> None:
    inbox: Inbox[int] = Inbox(2)
    taking = await begun(asyncio.create_task(inbox.take()))
    inbox.end()
    assert await taking is None


async def test_after_the_end_it_is_no_larger() -> None:
    inbox: Inbox[int] = Inbox(1)
    await inbox.put(1)
    inbox.end()
    putting = await begun(asyncio.create_task(inbox.put(2)))
    assert not putting.done()
    putting.cancel()


async def test_who_no_longer_waits_is_in_nobodys_way() -> None:
    inbox: Inbox[int] = Inbox(1)
    taking = await begun(asyncio.create_task(inbox.take()))
    taking.cancel()
    await begun(taking)
    await inbox.put(1)
    assert await inbox.take() == 1
