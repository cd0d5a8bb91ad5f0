"""The connection with Redis: what is asked at the same time goes together, and bells tell of what others did."""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from contextlib import aclosing, suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

CALL_SECONDS = 1.0
"""How long Redis may take; then it is left alone until it answers again, and nobody else waits."""

PAUSE_SECONDS = 0.25
"""How long to wait before it is tried again."""

MEANWHILE = "each process counts for itself, and nobody knows how many are connected to all."
TOO_SLOW = f"it has not answered within {CALL_SECONDS:g} s"

SILENT_SECONDS = 1.0
"""How long no bell may ring before it is tried whether one could."""

MOST_TOGETHER = 200
MOST_WAITING = 10_000
"""How much may be asked at a time. Whoever asks then gets no answer, as if Redis gave none."""

_FILES = {path.stem: path.read_text() for path in Path(__file__).parent.glob("*.lua")}
_BEFORE = _FILES.pop("processes")
_SCRIPTS = {name: _BEFORE + text for name, text in _FILES.items()}

Word = str | int | float
Rung = Callable[[str], None]


class Unreachable(Exception):
    """Redis does not answer, or does not do what it was asked."""


class _Asked(NamedTuple):
    command: tuple[Word, ...]
    answer: "asyncio.Future[Any]"


class Link:
    """What Redis is asked, and what it tells. `is_up` says whether it answers, `process` is this process's name there.

    A function in `on_up` is called whenever it does so again, and the first time: bells may have been missed, and Redis
    may have forgotten everything.
    """

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=CALL_SECONDS,
            socket_timeout=CALL_SECONDS,
            retry=Retry(NoBackoff(), 0),
            client_name="diego",
        )
        # What rings, rings in all databases of a Redis.
        self._prefix = f"diego:{self._redis.connection_pool.connection_kwargs.get('db', 0)}:"
        self.process = secrets.token_hex(8)
        self._digests: dict[str, str] = {}
        self._bells: dict[str, Rung] = {}
        self._hung: dict[str, asyncio.Future[None]] = {}
        self._ears: PubSub | None = None
        self._waiting: deque[_Asked] = deque()
        self._something_waits = asyncio.Event()
        self.on_up: list[Callable[[], None]] = []
        self.is_up = False
        self.tried = asyncio.Event()
        """Set when it is known whether Redis answers."""
        self._in_trouble = False

    async def run(self) -> None:
        """Keep the connection as long as this runs."""
        while True:
            try:
                await self._keep()
            except (RedisError, OSError) as error:
                self._complain(error)
            finally:
                self.tried.set()
                self._let_go()
                await self._redis.aclose()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _keep(self) -> None:
        """Be connected. Raises RedisError or OSError when that is over."""
        async with aclosing(self._redis.pubsub()) as ears:
            await self._connect(ears)
            both = asyncio.create_task(self._hear(ears)), asyncio.create_task(self._ask())
            try:
                over, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._let_go()  # at once, as to close what is held up takes time
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
            for task in over:
                task.result()

    def key(self, name: str) -> str:
        """The name that something has in Redis."""
        return f"{self._prefix}{name}"

    async def do(self, *command: Word) -> Any:
        """What Redis answers to a command. Raises Unreachable."""
        if not self.is_up or len(self._waiting) >= MOST_WAITING:
            raise Unreachable
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(command, answer))
        self._something_waits.set()
        return await answer

    async def call(self, script: str, *arguments: Word) -> Any:
        """What the script of that name, a file beside this one, answers. Raises Unreachable."""
        return await self.do("EVALSHA", self._digests.get(script, ""), 1, self._prefix, *arguments)

    async def ring(self, bell: str, text: str) -> int:
        """Ring a bell; how many hear it. Raises Unreachable."""
        heard: int = await self.do("PUBLISH", self.key(bell), text)
        return heard

    async def hang(self, bell: str, rung: Rung) -> None:
        """Have a function called with the text whenever somebody rings from now on, or from `on_up` on."""
        name = self.key(bell)
        self._bells[name] = rung
        if self._ears:
            hung = self._hung[name] = asyncio.get_running_loop().create_future()
            with suppress(RedisError, OSError):  # which `run` finds out
                await self._ears.subscribe(name)
                await hung

    async def take_down(self, bell: str) -> None:
        """Hear a bell no more."""
        name = self.key(bell)
        del self._bells[name]
        if self._ears:
            with suppress(RedisError, OSError):
                await self._ears.unsubscribe(name)

    async def _connect(self, ears: PubSub) -> None:
        for name, script in _SCRIPTS.items():
            self._digests[name] = await self._redis.script_load(script)
        bells = *self._bells, self.key("nothing")  # there must be one
        await ears.subscribe(*bells)
        unheard = len(bells)
        self._ears = ears  # whatever is hung from now on is hung there
        while unheard:
            message = await ears.get_message(timeout=CALL_SECONDS)
            if message is None:
                raise TimeoutError(TOO_SLOW)
            unheard -= message["type"] == "subscribe"
        self.is_up = True
        self.tried.set()
        if self._in_trouble:
            self._in_trouble = False
            logger.warning("Redis can be used again.")
        for function in self.on_up:
            function()

    async def _hear(self, ears: PubSub) -> None:
        tried = False
        while self._ears is ears:  # redis-py takes being cancelled for silence if both come at once
            message = await ears.get_message(timeout=SILENT_SECONDS)
            if message:
                self._take(message)
            elif tried:
                raise TimeoutError(TOO_SLOW)
            else:
                await ears.ping()
            tried = message is None

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe" and (hung := self._hung.pop(message["channel"], None)):
            hung.set_result(None)
        elif message["type"] == "message" and (rung := self._bells.get(message["channel"])):
            try:
                rung(message["data"])
            except Exception:
                logger.exception("What another process told could not be understood.")

    async def _ask(self) -> None:
        while True:
            await self._something_waits.wait()
            self._something_waits.clear()
            while self._waiting:
                await self._ask_together()

    async def _ask_together(self) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for asked in islice(self._waiting, MOST_TOGETHER):
            pipeline.execute_command(*asked.command)
        async with asyncio.timeout(CALL_SECONDS):
            results = await pipeline.execute(raise_on_error=False)
        for result in results:
            answer = self._waiting.popleft().answer
            if answer.done():  # nobody waits any more
                continue
            if isinstance(result, Exception):
                self.is_up = False
                answer.set_exception(Unreachable())
            else:
                answer.set_result(result)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _let_go(self) -> None:
        """Nobody is to wait for what does not come."""
        self._ears, self.is_up = None, False
        for hung in self._hung.values():
            hung.set_result(None)
        self._hung.clear()
        for asked in self._waiting:
            if not asked.answer.done():
                asked.answer.set_exception(Unreachable())
        self._waiting.clear()

    def _complain(self, error: Exception) -> None:
        if not self._in_trouble:
            self._in_trouble = True
            logger.error("Redis cannot be used: %s. Until it can, %s", str(error).strip(" .") or TOO_SLOW, MEANWHILE)
