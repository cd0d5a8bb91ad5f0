"""How good the answers are: on CLINC150, on what was trained with and without slips, and to strangers.

Prints tables in Markdown and writes `openings.md`, where everybody can judge for themselves.
"""

import logging
import random
import string
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from chatterbot import ChatBot

from benchmarks.recombined import CLINC150, SEED, clinc150
from benchmarks.stock import stock_chatbot, train_corpora
from benchmarks.tables import percent, table
from chatbot.bot.diego import Diego
from chatbot.bot.evaluation import evaluate
from chatbot.bot.formats import Pair
from chatbot.bot.words import key
from chatbot.settings import Settings

ENGLISH = "chatterbot.corpus.english"
_STOP_WORDS = "a an and are can could did do does for i in is it me my of on or so that the to was you"
STOP_WORDS = frozenset(_STOP_WORDS.split())
STOCK_SAMPLE = 400
STOCK_SECONDS = 120.0
OPENINGS = {
    "A hundred openings, written before the corpora": Path(__file__).parent / "openings1.txt",
    "Two hundred more, written when the corpora were nearly done": Path(__file__).parent / "openings2.txt",
}
JUDGED = Path(__file__).parent / "openings.md"
HEAD = """\
# Openings of strangers

Written by `python -m benchmarks.quality`, from messages by people who had seen no corpus; nor had those who wrote the
corpora seen the messages. Default settings, each in a conversation of its own."""


class Question(NamedTuple):
    """What is asked, the line before it, what it was before it was changed and how, and the replies that are right."""

    text: str
    before: str
    prompt: str
    change: str
    replies: frozenset[str]


class Asked(NamedTuple):
    """A question and what was said to it."""

    question: Question
    reply: str

    @property
    def right(self) -> bool:
        """Whether it is one of the prompt's own replies."""
        return self.reply in self.question.replies


def typo(text: str, chance: random.Random) -> str:
    """With one letter left out, doubled, replaced or swapped with the next, in a word of four letters or more."""
    words = text.split(" ")
    long = [number for number, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
    if not long:
        return text
    number = chance.choice(long)
    word = words[number]
    place = chance.randrange(len(word) - 1)
    start, letter, rest = word[:place], word[place], word[place + 1 :]
    slips = (rest, letter * 2 + rest, chance.choice(string.ascii_lowercase) + rest, rest[0] + letter + rest[1:])
    words[number] = start + chance.choice(slips)
    return " ".join(words)


def other_case(text: str, chance: random.Random) -> str:
    """All in capitals or all in small letters."""
    return chance.choice((text.upper(), text.lower()))


def no_punctuation(text: str, _chance: random.Random) -> str:
    """Without what stands around words."""
    return " ".join(filter(None, (word.strip(string.punctuation) for word in text.split())))


def no_stop_word(text: str, chance: random.Random) -> str:
    """With one stop word left out, if others are left."""
    words = text.split()
    droppable = [number for number, word in enumerate(words) if word.lower() in STOP_WORDS]
    if not droppable or len(words) < 3:
        return text
    del words[chance.choice(droppable)]
    return " ".join(words)


CHANGES: dict[str, Callable[[str, random.Random], str]] = {
    "as trained": lambda text, _chance: text,
    "one typo": typo,
    "other case": other_case,
    "no punctuation": no_punctuation,
    "a stop word dropped": no_stop_word,
}


def questions(pairs: Iterable[Pair]) -> list[Question]:
    """Every prompt with every line before it, as it was trained and with each change that changes it.

    What a change makes the same as another prompt is left out.
    """
    replies: dict[tuple[str, str], set[str]] = defaultdict(set)
    asked: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        where = key(pair.prompt), key(pair.before or "")
        replies[where].add(pair.reply)
        asked.setdefault(where, pair)
    known = {prompt_key for prompt_key, _ in asked}
    chance = random.Random(SEED)  # noqa: S311 - no secret
    found = []
    for where, pair in asked.items():
        for name, change in CHANGES.items():
            text = change(pair.prompt, chance)
            itself = text == pair.prompt
            if itself == (name == "as trained") and (key(text) == where[0] or key(text) not in known):
                found.append(Question(text, pair.before or "", pair.prompt, name, frozenset(replies[where])))
    return found


def ask(chatbot: ChatBot, asked: Iterable[Question], seconds: float = float("inf")) -> list[Asked]:
    """What a chatbot says, as far as it gets in that time."""
    end = time.perf_counter() + seconds
    said = []
    for number, question in enumerate(asked):
        if time.perf_counter() > end:
            break
        reply = chatbot.get_response(question.text, in_response_to=question.before, conversation=str(number))
        said.append(Asked(question, reply.text))
    return said


def trained_prompts() -> str:
    """The English corpus, asked as it is and with slips."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite:///{folder}/diego.db", corpora=(ENGLISH,), skills=())
        with closing(Diego(settings)) as diego:
            everything = questions(diego.storage.pairs())
            diegos = ask(diego, everything)
        sample = random.Random(SEED).sample(range(len(everything)), min(STOCK_SAMPLE, len(everything)))  # noqa: S311
        stock = stock_chatbot(Path(folder))
        train_corpora(stock, ENGLISH)
        stocks = ask(stock, (any_dialogue(everything[number], everything) for number in sample), STOCK_SECONDS)
        stock.storage.close()
    same = [diegos[number] for number in sample[: len(stocks)]]
    return f"{_shares(diegos, same, stocks)}\n\n{_misses(diegos)}"


def any_dialogue(question: Question, everything: list[Question]) -> Question:
    """The same for a chatbot that does not know of the line before: each reply to the prompt is right."""
    replies = [other.replies for other in everything if key(other.prompt) == key(question.prompt)]
    return question._replace(replies=frozenset().union(*replies))


def _shares(diegos: list[Asked], same: list[Asked], stocks: list[Asked]) -> str:
    rows = []
    for name in (*CHANGES, "all"):
        every, few, stock = (
            [one.right for one in said if name in (one.question.change, "all")] for said in (diegos, same, stocks)
        )
        rows.append(
            [
                name,
                f"{len(every):,}",
                percent(sum(every), len(every)),
                f"{len(few)}",
                percent(sum(few), len(few)),
                percent(sum(stock), len(stock)),
            ]
        )
    return table(("asked", "questions", "Diego", "sample", "Diego on it", "stock ChatterBot on it"), rows)


def _misses(diegos: list[Asked]) -> str:
    rows = [
        [one.question.change, *map(cell, (one.question.before, one.question.prompt, one.question.text, one.reply))]
        for one in diegos
        if not one.right
    ]
    return f"Diego's misses:\n\n{table(('asked', 'before', 'prompt', 'said', 'reply'), rows, texts=5)}"


def cell(text: str, longest: int = 120) -> str:
    """A text as it may stand in a table."""
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return short.replace("|", "\\|")


def unseen_questions() -> str:
    """CLINC150's test questions after training on its training questions alone."""
    if not clinc150("test"):
        return f"CLINC150 is not at hand ({CLINC150}); it is left out."
    figures = evaluate(str(CLINC150 / "train.csv"), str(CLINC150 / "test.csv")).figures()
    return table(list(figures), [["-" if value is None else f"{value:,.3f}" for value in figures.values()]], texts=0)


def openings() -> str:
    """What strangers say first, and Diego's replies with default settings."""
    random.seed(SEED)  # which of several replies Diego takes
    parts = [HEAD]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite:///{folder}/diego.db")
        with closing(Diego(settings)) as diego:
            for title, file in OPENINGS.items():
                rows = [_opening(diego, text) for text in file.read_text(encoding="utf-8").splitlines() if text]
                parts += [f"## {title}", table(("opening", "Diego's reply", "confidence", "why"), rows, texts=4)]
    return "\n\n".join(parts)


def _opening(diego: Diego, text: str) -> list[str]:
    reply = diego.get_response(text, conversation=text[:32], in_response_to="")
    receipt = reply.receipt
    near = receipt.matched or receipt.runner_up
    why = f"{receipt.how}: {near.prompt} ({near.confidence:.2f})" if near else f"{receipt.how} ({receipt.adapter})"
    return [cell(text), cell(reply.text, 400), f"{receipt.confidence:.2f}", cell(why)]


def main() -> None:
    """Measure, print and write."""
    logging.getLogger("chatbot").setLevel(logging.ERROR)
    print("CLINC150:", unseen_questions(), f"{ENGLISH}:", trained_prompts(), sep="\n\n", flush=True)
    JUDGED.write_text(f"{openings()}\n", encoding="utf-8")
    print(f"\nThe openings stand in {JUDGED.name}.")


if __name__ == "__main__":
    main()
