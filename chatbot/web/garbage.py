"""When Python's garbage collector looks: often at what is new, so that each look is short, and seldom at everything."""

import asyncio
import ctypes
import gc
import time
from contextlib import suppress

NEW_SECONDS = 0.1
"""How often it looks at what is new."""

ALL_SECONDS = 600.0
"""How often it looks at all there is, at the most."""

SHARE = 1 / 1000
"""How much of the time that may take: with 10,000 connections a look takes a second, in which nobody gets a reply."""

NEVER = 2**31 - 1


def settle() -> None:
    """Keep what is there: to look through it for garbage takes 0.1 s, and finds none."""
    gc.collect()
    gc.freeze()
    give_back()


def give_back() -> None:
    """Have the system take back memory that was freed, where its C library keeps it else: some 8 MB after a start."""
    with suppress(AttributeError):  # it is not glibc
        ctypes.CDLL(None).malloc_trim(0)


async def collect_garbage() -> None:
    """Look for garbage as long as this runs.

    By itself Python looks when there are so many more objects than before. But a tab that says something has its old
    objects replaced by as many new ones: nothing seems to be new until all are, and then one look took 0.2 s.
    """
    before = gc.get_threshold()
    gc.set_threshold(*before[:2], NEVER)
    try:
        await _look()
    finally:
        gc.set_threshold(*before)


async def _look() -> None:
    next_look = time.monotonic() + ALL_SECONDS
    while True:
        await asyncio.sleep(NEW_SECONDS)
        begun = time.monotonic()
        if begun < next_look:
            gc.collect(1)
        else:
            gc.collect()
            give_back()
            ended = time.monotonic()
            next_look = ended + max(ALL_SECONDS, (ended - begun) / SHARE)
