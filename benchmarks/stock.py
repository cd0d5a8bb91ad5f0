"""Stock ChatterBot as tutorials write it, but that it learns nothing here and has a sentence for not knowing."""

import os
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from chatterbot import ChatBot
from chatterbot.conversation import Statement
from chatterbot.tagging import LowercaseTagger
from chatterbot.trainers import ChatterBotCorpusTrainer

DEFAULT = "I do not know."
_BATCH = 1000


def stock_chatbot(folder: Path) -> ChatBot:
    """One that knows nothing yet, with its database in the folder."""
    return ChatBot(
        "stock",
        tagger=LowercaseTagger,
        read_only=True,
        database_uri=f"sqlite:///{folder / 'stock.db'}",
        logic_adapters=[{"import_path": "chatterbot.logic.BestMatch", "default_response": DEFAULT}],
    )


def train_corpora(chatbot: ChatBot, *names: str) -> None:
    """Train it on corpora."""
    os.environ["CHATTERBOT_SHOW_TRAINING_PROGRESS"] = "0"
    ChatterBotCorpusTrainer(chatbot).train(*names)


def train_pairs(chatbot: ChatBot, pairs: Iterable[tuple[str, str]], seconds: float = float("inf")) -> int:
    """Train it on prompts and replies as its trainers do, until there are no more or the time is up; how many."""
    end = time.perf_counter() + seconds
    left = iter(pairs)
    trained = 0
    while time.perf_counter() < end and (batch := list(islice(left, _BATCH))):
        chatbot.storage.create_many([row for prompt, reply in batch for row in _rows(chatbot, prompt, reply)])
        trained += len(batch)
    return trained


def _rows(chatbot: ChatBot, prompt: str, reply: str) -> tuple[Statement, Statement]:
    """Both lines of the dialogue."""
    index = chatbot.tagger.get_text_index_string
    first = Statement(text=prompt, search_text=index(prompt), conversation="training")
    second = Statement(
        text=reply,
        search_text=index(reply),
        in_response_to=prompt,
        search_in_response_to=first.search_text,
        conversation="training",
    )
    return first, second


def ask(chatbot: ChatBot, messages: Iterable[str], seconds: float) -> list[float]:
    """Ask it as many messages as go in that time; what each took."""
    begun = time.perf_counter()
    times: list[float] = []
    for message in messages:
        if (started := time.perf_counter()) - begun > seconds:
            break
        chatbot.get_response(message, in_response_to="")
        times.append(time.perf_counter() - started)
    return times
