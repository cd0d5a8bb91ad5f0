"""How many clients are chatting, told to those who want to know."""

import asyncio
from collections.abc import Callable, Collection

from chatbot.web.tab import Tab

PAUSE_SECONDS = 1.0
"""How often it is told at most: who come and go within that time are told as one change."""

TOLD_AT_ONCE = 100
CROWD_PAUSE_SECONDS = 0.1
"""In a crowd 1,000 are told in a second, so that their replies do not wait for it."""


async def tell_count(clients: Collection[Tab], count_clients: Callable[[], int]) -> None:
    """Tell the clients how many are chatting whenever that changes, as long as this runs."""
    while True:
        for number, client in enumerate([*clients], 1):
            client.tell_count(count_clients())
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(CROWD_PAUSE_SECONDS)
        await asyncio.sleep(PAUSE_SECONDS)
