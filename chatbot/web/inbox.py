"""What a client has sent and nobody has taken yet."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A bounded queue that comes to an end, from one task to one other: so at most one of them waits.

    Each connection has one, so it is small: an `asyncio.Queue`, which is for any number of tasks, takes 3 kB.
    """

    __slots__ = ("_ended", "_items", "_loop", "_most", "_waiter")

    def __init__(self, most: int) -> None:
        self._most = most
        self._loop = asyncio.get_running_loop()  # once: Python asks the system for the process's number each time
        self._items: list[T] = []
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    async def put(self, item: T) -> None:
        """Add something when there is room."""
        while len(self._items) >= self._most:
            await self._change()
        self._items.append(item)
        self._wake()

    async def take(self) -> T | None:
        """What was put first; None if there is nothing after the end."""
        while not self._items and not self._ended:
            await self._change()
        if not self._items:
            return None
        item = self._items.pop(0)
        self._wake()
        return item

    def end(self) -> None:
        """Have nobody wait for more."""
        self._ended = True
        self._wake()

    async def _change(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():  # else it was cancelled
            self._waiter.set_result(None)
