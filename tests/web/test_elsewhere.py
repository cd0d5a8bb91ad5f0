"""A visitor's tabs at several real servers, also while Redis is gone."""

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import ClientConnection

from chatbot.bot.diary import Diary
from chatbot.shared.calls import Calls
from chatbot.shared.link import Link
from chatbot.web.cookies import new_visitor
from chatbot.web.metrics import Metrics
from chatbot.web.threads import Threads
from chatbot.web.visitors import Visitors
from tests.databases import url_in
from tests.postgresql import PostgreSQL, needs_postgresql
from tests.processes import SECONDS, needs, wait_for
from tests.redis import Redis, redis
from tests.scale import WORKERS
from tests.several import several
from tests.tabs import ask, history, new_cookie, open_tab, receive, say, send, until_reply

pytestmark = [pytest.mark.server, needs("redis-server"), needs_postgresql]

AT_ONCE = 1.0
"""Within how many seconds a count is right after a process was killed."""

BACK_SECONDS = 5.0
"""Within how many seconds all is well again when Redis is back."""


def test_a_visitors_tabs_at_two_servers_are_one_conversation(
    tmp_path: Path, database: PostgreSQL, shared_redis: Redis
) -> None:
    with several(2, tmp_path, database, shared_redis) as (one, other), ExitStack() as stack:
        cookie = new_cookie(one)
        here, there = (stack.enter_context(open_tab(server, cookie)) for server in (one, other))
        assert ask(here, "Hello")["seq"] == 1
        assert [receive(there)["type"] for _ in range(2)] == ["typing", "reply"]
        assert ask(there, "When I say ping, answer pong")["seq"] == 2
        assert [receive(here)["type"] for _ in range(2)] == ["typing", "reply"]
        assert ask(here, "ping")["text"] == "pong"
        assert ask(there, "Tell me a joke")["text"] == "Knock knock."
        assert ask(here, "Who is there?")["text"] == "Olive."
        rounds = 40

        def talk(tab: ClientConnection) -> list[int]:
            """Say something again and again; the numbers of all turns that the tab is shown, in order."""
            shown: list[int] = []
            for _ in range(rounds):
                shown += [frame["seq"] for frame in until_reply(tab, say(tab, "Hello")) if frame["type"] == "reply"]
            return shown

        first = 6
        with ThreadPoolExecutor(2) as pool:
            both = [*pool.map(talk, (here, there))]
        everything = [*range(first, first + 2 * rounds)]
        for tab, shown in zip((here, there), both, strict=True):
            numbers = [number for number in shown if number >= first]
            while numbers[-1] < everything[-1]:
                frame = receive(tab)
                numbers += [frame["seq"]] if frame["type"] == "reply" else []
            assert numbers == everything
        assert [turn["seq"] for turn in history(one, cookie, "?limit=100")] == [*range(1, first + 2 * rounds)]


def test_what_is_taught_at_one_server_is_shown_by_another_at_which_it_was_read_before(
    tmp_path: Path, database: PostgreSQL, shared_redis: Redis
) -> None:
    with several(2, tmp_path, database, shared_redis) as servers:
        headers = {"Cookie": new_cookie(servers[0])}
        for number in range(10):
            one, other = servers if number % 2 else reversed(servers)
            lesson = {"prompt": f"Prompt {number}", "reply": "Yes"}
            taught = httpx2.post(
                f"http://{one.address}/conversation/lessons", json=lesson, headers=headers, timeout=SECONDS
            )
            assert taught.status_code == 201
            for server in (one, other):
                lessons = server.get("/conversation/lessons", **headers).json()["lessons"]
                assert len(lessons) == number + 1


def test_a_message_that_is_said_again_at_another_server_is_answered_once(
    tmp_path: Path, database: PostgreSQL, shared_redis: Redis
) -> None:
    with several(2, tmp_path, database, shared_redis) as (one, other), ExitStack() as stack:
        cookie = new_cookie(one)
        here, there = (stack.enter_context(open_tab(server, cookie)) for server in (one, other))
        for number in range(30):
            message = {"type": "message", "text": "Hello", "id": f"m{number}"}
            for tab in (here, there):
                send(tab, **message)
            assert {until_reply(tab, f"m{number}")[-1]["seq"] for tab in (here, there)} == {number + 1}
        assert len(history(one, cookie, "?limit=100")) == 30


def talk_until(tab: ClientConnection, over: threading.Event) -> float:
    """Say something again and again; the longest time that a reply took, in seconds."""
    slowest = 0.0
    while not over.is_set():
        asked = time.monotonic()
        assert ask(tab, "Hello")["type"] == "reply"
        slowest = max(slowest, time.monotonic() - asked)
        time.sleep(0.02)
    return slowest


@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_while_redis_is_gone_chats_go_on_and_nobody_is_told_a_wrong_count(
    fault: str, tmp_path: Path, database: PostgreSQL
) -> None:
    with redis() as own, several(2, tmp_path, database, own) as servers, ExitStack() as stack:
        one, other = servers
        cookie, over = new_cookie(one), threading.Event()
        here, there = (stack.enter_context(open_tab(server, cookie)) for server in servers)
        bystander = stack.enter_context(open_tab(other, new_cookie(other)))
        wait_for(lambda: all(server.get("/client-count").status_code == 200 for server in servers))
        with ThreadPoolExecutor(1) as pool:
            talking = pool.submit(talk_until, bystander, over)
            stack.callback(over.set)
            (own.freeze if fault == "frozen" else own.stop)()
            assert ask(here, "Hello")["type"] == "reply"
            wait_for(lambda: one.get("/client-count").status_code == 503)
            end = time.monotonic() + 3
            while time.monotonic() < end:
                assert {server.get("/client-count").status_code for server in servers} == {503}
            assert one.get("/readyz").status_code == 200
            missed = [ask(here, "Where is the station?")["seq"] for _ in range(3)]
            (own.thaw if fault == "frozen" else own.start)()
            back = time.monotonic()
            seen: set[int] = set()
            while not seen >= {*missed}:
                frame = receive(there)
                seen |= {frame["seq"]} if frame["type"] == "reply" else set()
            for server in servers:
                known = wait_for(lambda server=server: server.get("/client-count").json().get("count"))  # type: ignore[misc]
                assert known == 3
            assert time.monotonic() - back < BACK_SECONDS
            assert ask(there, "Hello")["seq"] == missed[-1] + 1
            over.set()
            assert talking.result(SECONDS) < 3
        for server in servers:
            assert "Traceback" not in server.log
            assert server.log.count("Redis cannot be used") == WORKERS
            assert server.log.count("Redis can be used again") == WORKERS


@pytest.mark.anyio
async def test_who_has_left_is_gone_before_anybody_looks_for_garbage(tmp_path: Path) -> None:
    with closing(Threads()) as threads, closing(Diary(url_in(tmp_path))) as diary:
        visitors = Visitors(threads, diary, Metrics(), Calls(Link("redis://127.0.0.1:1")))
        gc.collect()
        gc.disable()
        try:
            visitor = visitors.visitor(new_visitor())
            assert len(visitors) == 1
            del visitor
            assert len(visitors) == 0
        finally:
            gc.enable()
