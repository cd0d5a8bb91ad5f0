"""`python app.py --workers 3`: one Diego of several processes, of which some are killed and all are replaced."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from benchmarks.kill import Client
from tests.postgresql import PostgreSQL, needs_postgresql
from tests.processes import DIEGO, SECONDS, Server, launched, needs, wait_for
from tests.redis import Redis
from tests.rooms import guest
from tests.several import shared_urls
from tests.small import SETTINGS, UNKNOWN, answer, operate, serving_small
from tests.tabs import new_cookie, open_plain_tab

pytestmark = [pytest.mark.server, pytest.mark.anyio, needs("redis-server"), needs_postgresql]

NUMBER = 3
CLIENTS = 12
KNOWN_SECONDS = 2.0
"""Within how many seconds all workers know what was trained."""

AT_ONCE = 1.0
"""Within how many seconds a count is right after a worker was killed."""


@contextmanager
def serving_workers(folder: Path, urls: dict[str, str], **settings: str) -> Iterator[Server]:
    """So many workers."""
    with serving_small(folder, 0, "--workers", str(NUMBER), **urls, **settings) as server:
        yield server


def workers_of(server: Server) -> list[psutil.Process]:
    """The processes that serve."""
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


@asynccontextmanager
async def chatting(server: Server) -> AsyncIterator[tuple[list[Client], Counter[str]]]:
    """Clients who chat as long as the block lasts and then until all is answered."""
    counted: Counter[str] = Counter()
    clients = [Client(number, ["Hello", "What is a walrus?"], counted) for number in range(CLIENTS)]
    talking = [asyncio.create_task(client.chat(server.url)) for client in clients]
    try:
        yield clients, counted
    finally:
        for client in clients:
            client.finishing = True
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*talking)


def faults(clients: list[Client], counted: Counter[str]) -> dict[str, int]:
    """What went wrong."""
    wrong = {name: counted[name] for name in ("doubled", "out of order", "error instead of a reply")}
    wrong["missing"] = sum(len(client.said.keys() - {turn.message_id for turn in client.told}) for client in clients)
    return {name: number for name, number in wrong.items() if number}


async def until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until something is true, while others go on."""
    await asyncio.to_thread(wait_for, condition, None, seconds)


async def all_told_more(clients: list[Client]) -> None:
    """Wait until everybody has had another reply."""
    before = [len(client.told) for client in clients]
    await until(lambda: all(len(client.told) > told for client, told in zip(clients, before, strict=True)))


def is_replaced(server: Server, victim: psutil.Process) -> bool:
    """Whether another worker has taken the place of one."""
    workers = workers_of(server)
    return len(workers) == NUMBER and victim not in workers


@pytest.fixture
def urls(database: PostgreSQL, shared_redis: Redis) -> dict[str, str]:
    return shared_urls(database, shared_redis)


async def test_a_worker_that_is_killed_costs_nobody_a_turn(tmp_path: Path, urls: dict[str, str]) -> None:
    with serving_workers(tmp_path, urls) as server:
        async with chatting(server) as (clients, counted):
            for _ in range(3):
                await all_told_more(clients)
                victim = random.choice(workers_of(server))
                victim.kill()
                killed = time.monotonic()
                await until(lambda: server.get("/client-count").json().get("count") == CLIENTS, AT_ONCE)
                assert time.monotonic() - killed < AT_ONCE
                await until(partial(is_replaced, server, victim))
        assert faults(clients, counted) == {}
        assert counted["said again"] > 0
        await until(lambda: server.count() == 0)
        assert "Traceback" not in server.log


async def test_all_are_replaced_without_a_lost_reply(tmp_path: Path, urls: dict[str, str]) -> None:
    with serving_workers(tmp_path, urls) as server:
        before = {worker.pid for worker in workers_of(server)}
        async with chatting(server) as (clients, counted):
            server.process.send_signal(signal.SIGHUP)
            await until(lambda: "All workers have been replaced." in server.log)
            await all_told_more(clients)
        assert faults(clients, counted) == {}
        assert len(workers_of(server)) == NUMBER
        assert not before & {worker.pid for worker in workers_of(server)}
        assert server.stop() == 0


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_all_stop_together(sig: signal.Signals, tmp_path: Path, urls: dict[str, str]) -> None:
    with serving_workers(tmp_path, urls) as server, ExitStack() as stack:
        tabs = [stack.enter_context(open_plain_tab(server, new_cookie(server))) for _ in range(10)]
        workers = workers_of(server)
        assert len(workers) == NUMBER
        assert server.stop(sig) == 0
        assert not any(worker.is_running() for worker in workers)
        for tab in tabs:
            with pytest.raises(Exception, match="1012"):
                tab.recv(timeout=SECONDS)
    assert server.log.count("Diego is ready at") == 1
    assert "Traceback" not in server.log


def test_workers_do_not_outlive_who_started_them(tmp_path: Path, urls: dict[str, str]) -> None:
    with serving_workers(tmp_path, urls) as server:
        workers = workers_of(server)
        server.process.kill()
        wait_for(lambda: not any(worker.is_running() for worker in workers))


def test_what_is_in_the_way_is_said_once(tmp_path: Path, urls: dict[str, str]) -> None:
    command = (*DIEGO, "--port", "0", "--workers")
    cases = [
        ((*command, "3"), {"DIEGO_REDIS_URL": ""}, "Several workers need a Redis"),
        ((*command, "3", "--reload"), urls, "--reload is for one process only"),
        ((*command, "3"), {**urls, "DIEGO_CORPORA": "nowhere.yml"}, "nowhere.yml"),
    ]
    for arguments, settings, sentence in cases:
        with launched(tmp_path, *arguments, **{**SETTINGS, **settings}) as server:
            assert server.process.wait(SECONDS) not in (0, None)
            assert server.log.count(sentence) == 1, server.log
            assert "Traceback" not in server.log
    for number in ("0", "-1", "many", "1.5"):
        with launched(tmp_path, *command, number, **SETTINGS) as server:
            assert server.process.wait(SECONDS) == 2
            assert "there must be 1 or more" in server.log


@needs("node")
async def test_who_polls_is_in_the_room_whichever_worker_is_asked(tmp_path: Path, urls: dict[str, str]) -> None:
    with serving_workers(tmp_path, urls) as server:
        async with guest(server, "Ana") as ana:
            for number in range(10):
                async with guest(server, f"Poll {number}", transport="polling") as polling:
                    await polling.say(f"Message {number}")
                    assert (await ana.hears("response", text=f"Message {number}"))["name"] == f"Poll {number}"
                    await ana.say(f"I heard {number}")
                    await polling.hears("response", text=f"I heard {number}")
                await ana.hears("left", name=f"Poll {number}")


def test_what_is_trained_is_known_to_all_at_once(tmp_path: Path, urls: dict[str, str]) -> None:
    with serving_workers(tmp_path, urls) as server, ExitStack() as stack:
        tabs = [stack.enter_context(open_plain_tab(server, new_cookie(server))) for _ in range(4 * NUMBER)]
        processes = server.get("/client-count?detail=1").json()["processes"]
        assert sum(processes.values()) == len(tabs)
        assert sum(count > 0 for count in processes.values()) > 1
        assert {answer(tab, "xyzzy") for tab in tabs} == {UNKNOWN}
        (tmp_path / "new.csv").write_text("text,reply\nxyzzy,Nothing happens.\n")
        operate(server, "train", "new.csv", **urls)
        wait_for(lambda: {answer(tab, "xyzzy") for tab in tabs} == {"Nothing happens."}, seconds=KNOWN_SECONDS)
