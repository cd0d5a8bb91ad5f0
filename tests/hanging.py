"""A skill that does to Diego what somebody's first skill may do."""

import sys
import time
from pathlib import Path

from chatbot.bot.skills.skill import Skill

GO = Path("go")
"""What hangs goes on when there is this file."""


class Hanging(Skill):
    """Answers "ping", but hangs at "hang", holds a processor at "spin" and calls sys.exit() at "exit"."""

    def answer(self, text: str) -> str | None:
        word = text.partition(" ")[0]
        if word == "exit":
            sys.exit("as asked for")
        while word in ("hang", "spin") and not GO.exists():
            if word == "hang":
                time.sleep(0.05)
        return {"ping": "pong", "hang": "I am back.", "spin": "I am back."}.get(word)
