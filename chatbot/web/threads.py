"""Where replies are computed, so that the event loop is never held up."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

Args = TypeVarTuple("Args")
T = TypeVar("T")

AT_ONCE = 4
SLOW_SECONDS = 0.02
MOST = 100


class Threads:
    """Runs a few functions at a time, and slow ones besides.

    Python runs one thread at a time anyway, and with thirty that want to, the event loop's is only one of them: pings
    then wait for 70 ms, with four for 4 ms (docs/choices.md). But a function that takes long, because it asks a service
    for example, makes room for the next after SLOW_SECONDS, until there are MOST of them.
    """

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)
        self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="reply")

    async def run(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """What the function returns or raises; it gets a thread in the order of the calls."""
        async with self._room:
            running = asyncio.get_running_loop().run_in_executor(self._pool, function, *args)
            try:
                await asyncio.wait({running}, timeout=SLOW_SECONDS)
            except asyncio.CancelledError:
                running.cancel()
                raise
        return await running

    def close(self) -> None:
        """Start no function any more; those that run go on."""
        self._pool.shutdown(wait=False, cancel_futures=True)
