"""One conversation of 100,000 turns: how long a reply takes the longer it gets, every turn committed before the next.

Prints a table in Markdown, then one for stock ChatterBot, which gets 60 s. `--turns 1000` measures a shorter one.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psutil
from starlette.types import Message as Frame
from starlette.websockets import WebSocket

from benchmarks.messages import messages
from benchmarks.stock import stock_chatbot, train_corpora
from benchmarks.tables import milliseconds, table
from chatbot.bot.diary import Diary
from chatbot.bot.diego import Diego
from chatbot.settings import Settings
from chatbot.web.metrics import Metrics
from chatbot.web.tab import Tab
from chatbot.web.threads import Threads
from chatbot.web.visitors import Visitor
from chatbot.web.wire import JSON, HistoryRequest, Message

CORPUS = "chatterbot.corpus.english"
TURNS = 100_000
STOCK_SECONDS = 60.0
WINDOW = 1_000
"""Times are those of so many turns before."""

PAGES = 11
VISITOR = "0" * 32


class Row(NamedTuple):
    """What was measured after so many turns: times of the last replies and of a page of the history in s."""

    turns: int
    replies: list[float]
    history: float
    resident: float
    database: float


def milestones(turns: int) -> list[int]:
    """10, 1,000, 10,000, 100,000, so far."""
    return [number for number in (10, 1_000, 10_000, 100_000) if number <= turns]


def silent_tab() -> Tab:
    """A tab whose client is in this process and hears nothing."""

    async def receive() -> Frame:
        if connecting:
            return connecting.pop()
        await asyncio.Event().wait()
        raise AssertionError("it says nothing itself")

    async def send(_frame: Frame) -> None:
        pass

    connecting: list[Frame] = [{"type": "websocket.connect"}]
    scope = {"type": "websocket", "path": "/conversation", "headers": [], "query_string": b"", "subprotocols": [JSON]}
    return Tab(WebSocket(scope, receive, send), "diego=")


async def page_seconds(visitor: Visitor, diego: Diego, tab: Tab) -> float:
    """How long the last page of the history takes, the median of some."""
    times = []
    for _ in range(PAGES):
        begun = time.perf_counter()
        await visitor.ask(diego, HistoryRequest(), tab)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


async def talk(diego: Diego, diary: Diary, database: Path, turns: int) -> list[Row]:
    """What was measured at the milestones."""
    threads, tab, rows, times = Threads(), silent_tab(), list[Row](), list[float]()
    visitor = Visitor(VISITOR, threads, diary, Metrics())
    async with visitor.at(tab):
        for number, text in enumerate(messages(turns), 1):
            begun = time.perf_counter()
            await visitor.ask(diego, Message(text, str(number)), tab)
            times.append(time.perf_counter() - begun)
            if number in milestones(turns):
                history = await page_seconds(visitor, diego, tab)
                resident = psutil.Process().memory_info().rss
                size = sum(path.stat().st_size for path in database.parent.glob("diego.db*") if path.is_file())
                rows.append(Row(number, times[-WINDOW:], history, resident / 1e6, size / 1e6))
    tab.stop_reading()
    threads.close()
    assert diary.turns.last_number(VISITOR) == turns
    return rows


def diegos(turns: int) -> str:
    """Diego's table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "diego.db"
        settings = Settings(database_url=f"sqlite:///{path}", corpora=(CORPUS,))
        with closing(Diary(settings.visitors_url)) as diary, closing(Diego(settings, diary=diary)) as diego:
            rows = asyncio.run(talk(diego, diary, path, turns))
    header = ("turns", "p50 ms", "p99 ms", "max ms", "last 100 turns ms", "resident MB", "database MB")
    return table(header, [[f"{row.turns:,}", *milliseconds(row.replies), *_others(row)] for row in rows], texts=0)


def _others(row: Row) -> Iterator[str]:
    yield f"{1000 * row.history:,.2f}"
    yield f"{row.resident:,.0f}"
    yield f"{row.database:,.1f}"


def stocks() -> str:
    """Stock ChatterBot's table, as far as it goes: it keeps what is said, and so learns it."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        stock = stock_chatbot(Path(folder))
        train_corpora(stock, CORPUS)
        stock.read_only = False
        end = time.perf_counter() + STOCK_SECONDS
        for text in messages(TURNS):
            if (begun := time.perf_counter()) > end:
                break
            stock.get_response(text, conversation=VISITOR)
            times.append(time.perf_counter() - begun)
    reached = [*milestones(len(times) - 1), len(times)]
    rows = [[f"{turns:,}", *milliseconds(times[max(0, turns - WINDOW) : turns])] for turns in reached]
    return table(("turns, stock ChatterBot", "p50 ms", "p99 ms", "max ms"), rows, texts=0)


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    print(diegos(parser.parse_args().turns), stocks(), sep="\n\n")


if __name__ == "__main__":
    main()
