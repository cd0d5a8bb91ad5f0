"""What the tests of skills share: a skill without the rest of a chatbot, and messages that mean nothing."""

import random
import string
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, TypeVar

from chatterbot.conversation import Statement

from chatbot.bot.skills.skill import Skill

S = TypeVar("S", bound=Skill)

PIECES = (
    *("how many", "what is", "what time", "is it", "who else", "in", "to", "of", "here", "km", "miles", "°C", "Tokyo"),
    *(
        "plus",
        "times",
        "square root of",
        "%",
        "!",
        "(",
        ")",
        "^",
        "-",
        "/",
        "*",
        "1",
        "2.5",
        "1,000",
        "twenty",
        "9" * 50,
    ),
    *("¿cuántos", "qué hora", "combien", "quelle heure", "en", "a", "today", "monday", "?", "\n", "😀", "'", '"', "½"),
)


def skilled(skill: Callable[..., S], **chatbot: Any) -> S:
    """A skill of a chatbot that has just these attributes."""
    return skill(SimpleNamespace(search_algorithms={"indexed_text_search": None}, **chatbot))


def ask(skill: Skill, text: str) -> str | None:
    """What a skill answers as ChatterBot asks it, None if nothing."""
    statement = Statement(text)
    return (skill.process(statement).text or None) if skill.can_process(statement) else None


def nonsense() -> Iterator[str]:
    """Messages of up to 1,000 characters, the same ones each time: any characters, and what questions are made of."""
    dice = random.Random(1)
    for length in [1, 2, 3, 10, 50, 200, 1000] * 40:
        yield "".join(
            chr(dice.choice((dice.randrange(32, 0x250), dice.randrange(0x20, 0xD800)))) for _ in range(length)
        )
        yield "".join(dice.choice(string.printable) for _ in range(length))
        yield " ".join(dice.choice(PIECES) for _ in range(length))[:1000]
        yield (dice.choice(PIECES) * length)[:1000]


def seconds(skill: Skill, text: str) -> float:
    """How much of the processor's time an answer takes."""
    begin = time.thread_time()
    skill.answer(text)
    return time.thread_time() - begin
