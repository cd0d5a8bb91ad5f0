"""Tasks that run as long as the app, whatever happens."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

from chatbot.bot.database import log_failure

Args = TypeVarTuple("Args")

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0


async def keep_up(function: Callable[[*Args], Awaitable[None]], *args: *Args) -> None:
    """Call a function that never returns, and call it again when it fails, which is logged."""
    while True:
        try:
            await function(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may be over the next time
            log_failure(logger, f"{function.__qualname__} failed, and goes on in {PAUSE_SECONDS:g} s.", error)
        await asyncio.sleep(PAUSE_SECONDS)
