"""What the clients say: the prompts of the English corpus, and the questions of CLINC150 where they are at hand."""

import csv
import random
from pathlib import Path

from chatbot.bot.corpora import find_sources
from chatbot.bot.formats import read_corpus

CLINC150 = Path(__file__).parent.parent.parent / "shared/data/clinc150/test.csv"
SEED = 2019


def messages() -> list[str]:
    """All of them, in an order that is the same every time."""
    corpora = [read_corpus(source) for source in find_sources(("chatterbot.corpus.english",))]
    said = {line.reply_to for corpus in corpora for line in corpus.lines if line.reply_to}
    if CLINC150.exists():
        with CLINC150.open(newline="", encoding="utf-8") as file:
            said.update(row["text"] for row in csv.DictReader(file))
    mixed = sorted(said)
    random.Random(SEED).shuffle(mixed)  # noqa: S311 - no secret
    return mixed
