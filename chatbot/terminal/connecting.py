"""How a connection to Diego is made, and made again."""

import asyncio
import contextlib
import itertools
import json
import os
import random
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from chatbot.terminal.screen import printable

URL = "ws://127.0.0.1:8000/conversation"
CONNECT_SECONDS = 10.0
RETRY_SECONDS = (0.5, 1, 2, 4, 8, 15)
MOST_RETRY_SECONDS = 300

DENIALS = (400, 403, 429, 503)
"""The statuses with which Diego refuses a WebSocket, and says why."""

LATER = "Diego has a lot to do. What you said is sent again in a moment."
MAX_WAIT_SECONDS = 60.0  # whatever a server says

T = TypeVar("T")


class Unreachable(Exception):
    """There is no Diego to talk to, or no longer; the message is a sentence."""


class Refused(Unreachable):
    """Diego is there, and does not let this person in now; perhaps in so many seconds."""

    def __init__(self, sentence: str, seconds: float = 0) -> None:
        super().__init__(sentence)
        self.seconds = seconds


def conversation_url(address: str) -> str:
    """The WebSocket's URL for what people type: that, the page's URL, or `host:port`."""
    try:
        parts = urlsplit(address if "://" in address else f"ws://{address}")
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme) if valid else ""
    if scheme not in ("ws", "wss"):
        raise Unreachable(f"{printable(address)} is no address of a Diego; one looks like {URL}")
    return parts._replace(scheme=scheme, path=parts.path.rstrip("/") or "/conversation", fragment="").geturl()


def server_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a WebSocket's URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)


def unreachable(url: str, error: Exception) -> Unreachable:
    """What is raised when no connection comes about."""
    reason = f"{printable(url)} ({printable(reason_for(error))})"
    return Unreachable(f"Diego cannot be reached at {reason}. Start him with: make run")


def reason_for(error: Exception) -> str:
    """Why there is no connection."""
    match error:
        case TimeoutError():
            return f"no answer within {CONNECT_SECONDS:.0f} s"
        case ssl.SSLCertVerificationError():
            return f"{error.verify_message}; if you trust its certificate, name it in SSL_CERT_FILE"
        case ssl.SSLError():
            return error.reason or str(error)
        case OSError():
            return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        case _:
            return str(error)


async def wait_as_told(retry_after: float) -> None:
    """Wait until the server is ready for what it had no time for. Not all clients come at the same moment."""
    seconds = min(max(retry_after, 0.0), MAX_WAIT_SECONDS)
    await asyncio.sleep(seconds + random.uniform(0, 1))  # noqa: S311 - no secret


def refused(status: int, headers: Mapping[str, str], body: bytes | bytearray) -> Refused | None:
    """What Diego says who refuses a WebSocket with such an answer; None if it is not his."""
    with contextlib.suppress(ValueError, RecursionError, LookupError, TypeError):
        if status in DENIALS:
            sentence = printable(str(json.loads(body)["error"]))
            after = headers.get("Retry-After", "")
            return Refused(sentence, min(int(after), MOST_RETRY_SECONDS) if after.isdecimal() else 0)
    return None


async def reconnect(connect: Callable[[], Awaitable[T]], losses: int, tell: Callable[[str], Awaitable[None]]) -> T:
    """A new connection, tried for at intervals that grow with every try and every loss without a reply in between.

    When Diego refuses it he is asked again no sooner than he says. Why he does is told, but not at every try.
    """
    told, earliest = "", 0.0
    for tries in itertools.count(losses):
        # Not all clients at the same moment, and none before Diego wants it.
        spread = random.uniform(0.5, 1)  # noqa: S311 - no secret
        await asyncio.sleep(max(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)], 2 * earliest) * spread)
        try:
            return await connect()
        except Refused as refusal:
            earliest = refusal.seconds
            if str(refusal) != told:
                told = str(refusal)
                await tell(told)
        except Unreachable:
            earliest = 0.0
    raise AssertionError("count() does not end")


async def until_first(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Run them until one ends, and end the others. Raises what that one raises."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
