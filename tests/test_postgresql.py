"""Real servers with what they keep in a PostgreSQL of the tests' own, which is stopped and comes back."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection

from chatbot.bot.diary import Diary
from tests.databases import execute
from tests.postgresql import PostgreSQL, needs_postgresql, postgresql
from tests.processes import DIEGO, SECONDS, launched, needs, wait_for
from tests.redis import Redis
from tests.scale import WORKERS
from tests.several import shared_urls
from tests.small import SETTINGS, UNKNOWN, answer, operate, serving_small
from tests.tabs import ask, history, new_cookie, open_plain_tab, open_tab, say, send, until_reply

pytestmark = [pytest.mark.server, needs_postgresql]

CROWD = 10
BACK_SECONDS = 5.0
"""Within how long all is well again when PostgreSQL is back."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


@pytest.fixture
def url(server: PostgreSQL, request: pytest.FixtureRequest) -> str:
    return server.make(request.node.name)


def test_two_servers_share_what_is_known_and_kept(url: str, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    one_folder, other_folder = folders
    with (
        serving_small(one_folder, DIEGO_DATABASE_URL=url) as one,
        serving_small(other_folder, DIEGO_DATABASE_URL=url) as other,
    ):
        cookie = new_cookie(one)
        with open_tab(one, cookie) as tab:
            assert ask(tab, "Hello")["text"] == "Hello to you."
            assert ask(tab, "When I say ping, answer pong")["seq"] == 2
        with open_tab(other, cookie) as tab:
            assert ask(tab, "ping")["text"] == "pong"
        assert [turn["seq"] for turn in history(one, cookie)] == [1, 2, 3]
        with open_plain_tab(other, new_cookie(other)) as tab:
            assert answer(tab, "xyzzy") == UNKNOWN
            (one_folder / "new.csv").write_text("text,reply\nxyzzy,Nothing happens.\n")
            operate(one, "train", "new.csv", DIEGO_DATABASE_URL=url)
            wait_for(lambda: answer(tab, "xyzzy") == "Nothing happens.", seconds=BACK_SECONDS)
    assert not [*one_folder.glob("diego.db*")]


class Talker:
    """A visitor who says one thing after the other, each again until it is answered, as the page does."""

    def __init__(self, cookie: str) -> None:
        self.cookie = cookie
        self.said: list[str] = []
        self.apologies = 0

    def talk(self, tab: ClientConnection, until: threading.Event) -> None:
        """Talk until that."""
        while not until.is_set():
            text = f"What is a walrus? {len(self.said)}"
            message_id = say(tab, text)
            while until_reply(tab, message_id)[-1]["type"] == "error":
                self.apologies += 1
                time.sleep(0.05)
                send(tab, type="message", text=text, id=message_id)
            self.said.append(text)


@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=needs("redis-server"))])
def test_it_is_killed_and_comes_back(tmp_path: Path, workers: int, shared_redis: Redis) -> None:
    several = ("--workers", f"{workers}") if workers > 1 else ()
    with (
        postgresql() as database,
        serving_small(tmp_path, 0, *several, **shared_urls(database, shared_redis)) as server,
    ):
        talkers, over = [Talker(new_cookie(server)) for _ in range(CROWD)], threading.Event()
        with ThreadPoolExecutor(CROWD) as pool, ExitStack() as stack:
            tabs = [stack.enter_context(open_tab(server, talker.cookie)) for talker in talkers]
            stack.callback(over.set)
            talking = [pool.submit(talker.talk, tab, over) for talker, tab in zip(talkers, tabs, strict=True)]
            wait_for(lambda: all(talker.said for talker in talkers))
            database.stop()
            wait_for(lambda: all(talker.apologies for talker in talkers))
            wait_for(lambda: server.get("/readyz").status_code == 503)
            assert server.get("/healthz").status_code == 200
            assert server.count() == CROWD
            said = [len(talker.said) for talker in talkers]
            database.start()
            wait_for(
                lambda: all(len(talker.said) > before for talker, before in zip(talkers, said, strict=True)),
                seconds=BACK_SECONDS,
            )
            over.set()
            for one in talking:
                one.result(SECONDS)
        for talker in talkers:
            kept: list[str] = []
            query = "?limit=100"
            while page := history(server, talker.cookie, query):
                kept[:0] = [turn["prompt"] for turn in page]
                query = f"?limit=100&before={page[0]['seq']}"
            assert kept == talker.said
        assert "Traceback" not in server.log
        assert 1 <= server.log.count("Nothing can be written to ") <= workers * WORKERS


def test_what_it_says_when_it_cannot_be_reached(server: PostgreSQL, tmp_path: Path) -> None:
    for url in ("postgresql+psycopg://diego:tiramisu@127.0.0.1:1/diego", server.url_of("nowhere")):
        with launched(tmp_path, *DIEGO, "--port", "0", **SETTINGS, DIEGO_DATABASE_URL=url) as diego:
            assert diego.process.wait(SECONDS) != 0
            assert "Diego cannot start. The database postgresql+psycopg://diego" in diego.log
            assert "See that PostgreSQL runs there" in diego.log
            assert "tiramisu" not in diego.log
            assert "Traceback" not in diego.log


def test_the_key_is_made_once_and_by_nobody_twice(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        diaries = [*pool.map(Diary, [url] * 4)]
        assert len({*pool.map(Diary.secret_key, diaries)}) == 1
    for diary in diaries:
        diary.close()
    assert len(execute(url, "SELECT key FROM secret")) == 1
