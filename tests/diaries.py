"""What the tests of what is kept of visitors share."""

import threading
import time
from pathlib import Path
from typing import Any

from chatbot.bot.diary import Diary
from chatbot.bot.room import Said
from chatbot.bot.turns import Turn
from tests.databases import url_in

ANN, BOB = "a" * 32, "b" * 32
DAY = 24 * 3600


def diary_in(folder: Path) -> Diary:
    """A diary in a database of its own."""
    return Diary(url_in(folder))


def say(diary: Diary, visitor: str, *prompts: str, reply: str = "I see.", why: str = "known") -> None:
    """Keep a turn for each prompt."""
    for prompt in prompts:
        number = diary.turns.last_number(visitor) + 1
        turn = Turn(visitor, number, f"{number} {prompt}"[:64], prompt, reply, 1.0, why, 0.0, "known")
        _keep(diary, turn)


def ask(diary: Diary, visitor: str, *prompts: str, days_ago: float = 0, **fields: Any) -> None:
    """Keep a turn for each prompt, to which Diego had no answer, or another one if the fields say so."""
    for prompt in prompts:
        number = diary.turns.last_number(visitor) + 1
        values = {"reply": "I do not know.", "kind": "unknown", "said_at": time.time() - days_ago * DAY, **fields}
        _keep(diary, Turn(visitor, number, None, prompt, **values))


def said(text: str, visitor: str = ANN, message_id: str | None = None) -> Said:
    """What is to be kept of the room."""
    return Said(0, visitor, "Somebody", message_id, text, 0.0)


def _keep(diary: Diary, turn: Turn) -> None:
    kept = threading.Event()
    diary.turns.add(turn, lambda _error: kept.set())
    kept.wait()
