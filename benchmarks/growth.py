"""How Diego grows: from a thousand to a million pairs, each size trained and asked in processes of its own.

Prints a table in Markdown and draws `growth.svg`. `--sizes 1000 10000` measures fewer.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.recombined import SEED, clinc150, corpus_lines, recombined
from benchmarks.tables import milliseconds, table

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUESTIONS = 2_000
MOST_PROMPTS = 1_000
"""How many prompts a reply has at most."""

STOCK_TRAIN_SECONDS, STOCK_ASK_SECONDS, STOCK_SECONDS = 30.0, 20.0, 75.0
CORE = 0
PLOT = Path(__file__).parent / "growth.svg"
ROOT = Path(__file__).parent.parent
STEPS = ("train", "load", "answer")

Figures = dict[str, Any]


def write_data(folder: Path, size: int) -> None:
    """So many pairs as `pairs.csv`, and as `questions.json` messages of which half are known but for a typo."""
    lines = corpus_lines()
    asked = {line.reply_to for line in lines if line.reply_to}
    prompts = recombined({*asked, *clinc150("train")})
    known = list(islice(prompts, size))
    replies = repeated(recombined(line.text for line in lines if line.reply_to))
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "reply"))
        writer.writerows(zip(known, replies, strict=False))
    chance = random.Random(SEED)  # noqa: S311 - no secret
    misspelt = [mistyped(prompt, chance) for prompt in chance.sample(known, min(size, QUESTIONS // 2))]
    questions = misspelt + list(islice(prompts, QUESTIONS - len(misspelt)))
    chance.shuffle(questions)
    (folder / "questions.json").write_text(json.dumps(questions))


def repeated(replies: Iterator[str]) -> Iterator[str]:
    """Most of the replies once or a few times, some many times, mixed."""
    chance = random.Random(SEED + 1)  # noqa: S311 - no secret
    while True:
        batch = [reply for reply in islice(replies, 500) for _ in range(_times(chance))]
        chance.shuffle(batch)
        yield from batch


def _times(chance: random.Random) -> int:
    return min(MOST_PROMPTS, int(chance.paretovariate(1.2)))


def mistyped(text: str, chance: random.Random) -> str:
    """With two neighbouring letters of its longest word swapped."""
    word = max(text.split(), key=len)
    place = chance.randrange(max(len(word) - 1, 1))
    return text.replace(word, word[:place] + word[place : place + 2][::-1] + word[place + 2 :], 1)


def step_train(folder: Path) -> Figures:
    """What `python -m chatbot train` does, in its two parts."""
    from chatbot.bot.cache import knowledge_of  # noqa: PLC0415 - no step imports what it does not need
    from chatbot.bot.storage import KnowledgeStorage  # noqa: PLC0415
    from chatbot.bot.training import learn  # noqa: PLC0415

    with closing(KnowledgeStorage(database_uri=_database(folder))) as storage:
        begun = time.perf_counter()
        learn(storage, (str(folder / "pairs.csv"),))
        stored = time.perf_counter()
        knowledge_of(storage)
        return {"store_s": stored - begun, "build_s": time.perf_counter() - stored}


def step_load(folder: Path) -> Figures:
    """What was worked out, from the cache."""
    from chatbot.bot.cache import knowledge_of  # noqa: PLC0415
    from chatbot.bot.storage import KnowledgeStorage  # noqa: PLC0415

    with closing(KnowledgeStorage(database_uri=_database(folder))) as storage:
        begun = time.perf_counter()
        knowledge_of(storage)
        return {"load_s": time.perf_counter() - begun}


def step_answer(folder: Path) -> Figures:
    """A warm start, and the answers. When the process started stands in the environment."""
    import psutil  # noqa: PLC0415

    from chatbot.bot.diego import Diego  # noqa: PLC0415
    from chatbot.settings import Settings  # noqa: PLC0415

    settings = Settings(database_url=_database(folder), corpora=(str(folder / "pairs.csv"),))
    with closing(Diego(settings)) as diego:
        diego.get_response("What is the meaning of life?", conversation="first")
        start_s = time.monotonic() - float(os.environ["STARTED"])
        started_mb = psutil.Process().memory_info().rss / 1e6
        times = []
        for number, question in enumerate(json.loads((folder / "questions.json").read_text())):
            begun = time.perf_counter()
            diego.get_response(question, conversation=str(number % 100))
            times.append(time.perf_counter() - begun)
        asked_mb = psutil.Process().memory_info().rss / 1e6
    return {"start_s": start_s, "started_mb": started_mb, "asked_mb": asked_mb, "times": times}


def step_stock(folder: Path) -> Figures:
    """Stock ChatterBot, trained and asked for a bounded time. What it did before it is stopped is printed."""
    from benchmarks.stock import ask, stock_chatbot, train_pairs  # noqa: PLC0415

    stock = stock_chatbot(folder)
    with (folder / "pairs.csv").open(newline="", encoding="utf-8") as file:
        pairs = ((row["text"], row["reply"]) for row in csv.DictReader(file))
        trained = train_pairs(stock, pairs, STOCK_TRAIN_SECONDS)
    print(json.dumps({"trained": trained, "times": []}), flush=True)
    times = ask(stock, json.loads((folder / "questions.json").read_text()), STOCK_ASK_SECONDS)
    return {"trained": trained, "times": times}


def _database(folder: Path) -> str:
    return f"sqlite:///{folder / 'diego.db'}"


def in_a_process(step: str, folder: Path, seconds: float | None = None) -> Figures:
    """What a step measures in a process of its own on one core; what it has printed if the time is up."""
    command = ["taskset", "-c", str(CORE), sys.executable, "-m", "benchmarks.growth", "--step", step, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STARTED": str(time.monotonic())}
    try:
        printed = subprocess.run(  # noqa: S603 - our own command
            command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, timeout=seconds
        ).stdout
    except subprocess.TimeoutExpired as late:
        printed = late.stdout or b"{}"
    figures: Figures = json.loads(printed.decode().strip().splitlines()[-1])
    return figures


def measure(size: int) -> Figures:
    """All figures of a size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{size:,} pairs …", file=sys.stderr)
        write_data(folder, size)
        figures: Figures = {"size": size}
        for step in STEPS:
            figures |= in_a_process(step, folder)
        return figures | {"stock": in_a_process("stock", folder, STOCK_SECONDS)}


def rows(figures: list[Figures]) -> Iterator[list[str]]:
    """Diego's row of each size."""
    for one in figures:
        numbers = [one[name] for name in ("store_s", "build_s", "start_s", "load_s")]
        cells = [*(f"{number:.2f}" for number in numbers), f"{one['started_mb']:,.0f}", f"{one['asked_mb']:,.0f}"]
        yield [f"{one['size']:,}", *cells, *milliseconds(one["times"])]


def stock_rows(figures: list[Figures]) -> Iterator[list[str]]:
    """Stock ChatterBot's row of each size, and Diego's speed beside it."""
    for one in figures:
        stock = one["stock"]
        times = stock.get("times", [])
        ratio = f"{_median(times) / _median(one['times']):,.0f}" if times else "-"
        cells = [f"{one['size']:,}", f"{stock.get('trained', 0):,}", f"{len(times):,}"]
        yield [*cells, *milliseconds(times, (0.5, 1)), ratio]


def _median(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


def draw(figures: list[Figures], path: Path) -> None:
    """Times and memory over sizes, both scales logarithmic."""
    import matplotlib as mpl  # noqa: PLC0415 - takes its time

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none"})
    import matplotlib.pyplot as plt  # noqa: PLC0415

    sizes = [one["size"] for one in figures]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for share, label in ((0.5, "p50"), (0.99, "p99")):
        left.loglog(sizes, [_quantile_ms(one["times"], share) for one in figures], "o-", label=f"Diego, {label}")
    slow = [one for one in figures if one["stock"].get("times")]
    stock_ms = [_quantile_ms(one["stock"]["times"], 0.5) for one in slow]
    left.loglog([one["stock"]["trained"] for one in slow], stock_ms, "s--", label="stock ChatterBot, p50")
    left.set(title="one answer", xlabel="pairs", ylabel="ms")
    for name, label in (("store_s", "store"), ("build_s", "build"), ("start_s", "warm start")):
        right.loglog(sizes, [one[name] for one in figures], "o-", label=f"{label}, s")
    right.loglog(sizes, [one["asked_mb"] / 1000 for one in figures], "^--", label="memory when asked, GB")
    right.set(title="training, starting, memory", xlabel="pairs", ylabel="s, GB")
    for axes in (left, right):
        axes.minorticks_off()
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def _quantile_ms(times: list[float], share: float) -> float:
    return 1000 * sorted(times)[min(len(times) - 1, int(len(times) * share))]


def main() -> None:
    """Measure all sizes, print the tables and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--step", nargs=2, metavar=("STEP", "FOLDER"), help="only this, in a folder; used internally")
    options = parser.parse_args()
    if options.step:
        step, folder = options.step
        steps = {"train": step_train, "load": step_load, "answer": step_answer, "stock": step_stock}
        print(json.dumps(steps[step](Path(folder))))
        return
    figures = [measure(size) for size in options.sizes]
    header = ("pairs", "store s", "build s", "warm start s", "load s", "MB at start", "MB asked", *_TIMES)
    print(table(header, rows(figures), texts=0))
    stock_header = ("pairs", "stock trained", "stock answered", "p50 ms", "max ms", "times Diego's p50")
    print("", table(stock_header, stock_rows(figures), texts=0), sep="\n")
    if tuple(options.sizes) == SIZES:  # the plot is of the whole table
        draw(figures, PLOT)


_TIMES = ("p50 ms", "p99 ms", "max ms")

if __name__ == "__main__":
    main()
