"""The engine alone: whole answers, skills included, to messages that are all different. No server, no sockets."""

import os
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.messages import messages
from benchmarks.recombined import CLINC150, SEED, clinc150, english_prompts
from benchmarks.stock import ask, stock_chatbot, train_pairs
from benchmarks.tables import milliseconds, table
from chatbot.bot.diego import Diego
from chatbot.bot.formats import Pair
from chatbot.settings import Settings

COUNT = 10_000
WARM_UP = 100
STOCK_SECONDS = 20.0
CORE = 0
CONVERSATIONS = 100


def mixed(count: int = COUNT) -> list[str]:
    """Half recombined and half real messages, the real ones each once; the same every time."""
    real = english_prompts() + clinc150("test")
    chance = random.Random(SEED)  # noqa: S311 - no secret
    chance.shuffle(real)
    real = real[: count // 2]
    both = list(dict.fromkeys([*real, *messages(count)]))[:count]
    chance.shuffle(both)
    return both


def answers(diego: Diego, said: list[str]) -> list[float]:
    """What each answer took, in s; a hundred people talk in turn."""
    times = []
    for number, message in enumerate(said):
        started = time.perf_counter()
        diego.get_response(message, conversation=str(number % CONVERSATIONS))
        times.append(time.perf_counter() - started)
    return times[WARM_UP:]


def measure(name: str, corpora: tuple[str, ...], said: list[str]) -> list[list[str]]:
    """A row for Diego and one for stock ChatterBot, trained on the same."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite:///{folder}/diego.db", corpora=corpora)
        with closing(Diego(settings)) as diego:
            pairs = list(diego.storage.pairs())
            times = answers(diego, said)
        stock = stock_times(Path(folder), pairs, said)
    return [_row(name, "Diego", len(pairs), times), _row(name, "stock ChatterBot", len(pairs), stock)]


def stock_times(folder: Path, pairs: list[Pair], said: list[str]) -> list[float]:
    """What stock ChatterBot's answers took, as many as go in a bounded time."""
    stock = stock_chatbot(folder)
    try:
        train_pairs(stock, ((pair.prompt, pair.reply) for pair in pairs))
        return ask(stock, said, STOCK_SECONDS)
    finally:
        stock.storage.close()


def _row(name: str, who: str, pairs: int, times: list[float]) -> list[str]:
    return [name, who, f"{pairs:,}", f"{len(times):,}", *milliseconds(times), f"{len(times) / sum(times):,.1f}"]


def report() -> str:
    """The table."""
    said = mixed()
    default = Settings.model_fields["corpora"].default
    rows = measure("default corpora", default, said)
    if CLINC150.exists():
        rows = measure("CLINC150", (str(CLINC150 / "train.csv"),), said) + rows
    header = ("trained on", "chatbot", "pairs", "answers", "p50 ms", "p99 ms", "max ms", "replies/s")
    return table(header, rows, texts=2)


def main() -> None:
    """Measure on one core, and print the table."""
    os.sched_setaffinity(0, {CORE})
    if not CLINC150.exists():
        print(f"CLINC150 is not at hand ({CLINC150}); the figures for it are left out.\n")
    print(report())


if __name__ == "__main__":
    main()
