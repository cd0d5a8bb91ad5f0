"""What processes ask each other, and the answers."""

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from chatbot.shared.link import Link, Unreachable

logger = logging.getLogger(__name__)

MOST_WAITING = 1000
"""How much a process may ask at a time. What it asks then has no answer."""

Function = Callable[[Any], Awaitable[Any]]
"""What answers a question; both are values for JSON."""


class Calls:
    """Questions to another process, or to all others, and answers to theirs."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._waiting: dict[str, asyncio.Queue[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """To be called before anything is asked."""
        await self.link.hang(f"answers:{self.link.process}", self._take)

    async def serve(self, name: str, function: Function) -> None:
        """Have a function answer the questions of that name."""

        def asked(text: str) -> None:
            question = json.loads(text)
            if question["process"] != self.link.process:
                answering = asyncio.create_task(self._answer(function, question))
                self._answering.add(answering)
                answering.add_done_callback(self._answering.discard)

        await self.link.hang(f"ask:{name}", asked)
        await self.link.hang(f"ask:{name}:{self.link.process}", asked)

    async def ask(self, process: str, name: str, question: object, seconds: float) -> Any:
        """What a process answers. Raises Unreachable if there is none of that name, or it does not answer in time."""
        answers = await self._ask(f"{name}:{process}", question, seconds, but=0)
        if not answers:
            raise Unreachable
        return answers[0]

    async def ask_others(self, name: str, question: object, seconds: float) -> list[Any]:
        """What all other processes answer in time. Raises Unreachable."""
        return await self._ask(name, question, seconds, but=1)

    async def _ask(self, name: str, question: object, seconds: float, but: int) -> list[Any]:
        """The answers of those who hear it, but for so many who do not answer."""
        if len(self._waiting) >= MOST_WAITING:
            raise Unreachable
        number = secrets.token_hex(8)
        queue = self._waiting[number] = asyncio.Queue[Any]()
        answers: list[Any] = []
        try:
            asked = {"number": number, "process": self.link.process, "question": question}
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    heard = await self.link.ring(f"ask:{name}", json.dumps(asked)) - but
                    while len(answers) < heard:
                        answers.append(await queue.get())
        finally:
            del self._waiting[number]
        return answers

    async def _answer(self, function: Function, question: dict[str, Any]) -> None:
        try:
            answer = await function(question["question"])
        except Exception:
            logger.exception("What another process asked could not be answered.")
            return
        told = json.dumps({"number": question["number"], "answer": answer})
        with suppress(Unreachable):
            await self.link.ring(f"answers:{question['process']}", told)

    def _take(self, text: str) -> None:
        told = json.loads(text)
        if queue := self._waiting.get(told["number"]):
            queue.put_nowait(told["answer"])
