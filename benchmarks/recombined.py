"""Sentences nobody wrote: the first half of a real one and the second half of another."""

import csv
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from chatbot.bot.corpora import find_sources
from chatbot.bot.formats import Line, read_corpus
from chatbot.bot.words import key

CLINC150 = Path(__file__).parent.parent.parent / "shared/data/clinc150"
ENGLISH = ("chatterbot.corpus.english", "chatbot.corpus.english")
SEED = 2019


def corpus_lines(names: tuple[str, ...] = ENGLISH) -> list[Line]:
    """All lines of corpora."""
    return [line for source in find_sources(names) for line in read_corpus(source).lines]


def clinc150(name: str) -> list[str]:
    """The questions of one file of CLINC150, none where it is not at hand."""
    path = CLINC150 / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row["text"] for row in csv.DictReader(file)]


def english_prompts() -> list[str]:
    """The prompts of the English corpora, each once."""
    return sorted({line.reply_to for line in corpus_lines() if line.reply_to})


def recombined(texts: Iterable[str], seed: int = SEED) -> Iterator[str]:
    """Sentences without end, the same for the same seed; no two differ only in case and punctuation."""
    halves = [_halves(text) for text in sorted(set(texts)) if " " in text]
    heads, tails = sorted({head for head, _ in halves}), sorted({tail for _, tail in halves})
    chance = random.Random(seed)  # noqa: S311 - no secret
    seen: set[str] = set()
    while True:
        text = f"{chance.choice(heads)} {chance.choice(tails)}"
        text_key = key(text)
        if text_key not in seen:
            seen.add(text_key)
            yield text


def _halves(text: str) -> tuple[str, str]:
    words = text.split()
    middle = len(words) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])
