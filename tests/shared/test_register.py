"""How many are connected to several real servers, and how many may be."""

import asyncio
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from chatbot.shared.link import Unreachable
from chatbot.shared.register import Register
from tests.postgresql import PostgreSQL, needs_postgresql
from tests.processes import SECONDS, Server, needs, wait_for
from tests.redis import Redis, linked
from tests.scale import WORKERS
from tests.several import several
from tests.small import answer
from tests.tabs import ask, new_cookie, open_plain_tab, open_tab

pytestmark = [pytest.mark.server, needs("redis-server"), needs_postgresql]

AT_ONCE = 1.0
"""Within how many seconds a count is right after a process was killed."""

BACK_SECONDS = 5.0
"""Within how many seconds all is well again when Redis is back."""


def counts(servers: list[Server]) -> set[int]:
    """What the servers say how many clients there are."""
    return {server.count() for server in servers}


def test_every_server_knows_how_many_are_connected_to_all(
    tmp_path: Path, database: PostgreSQL, shared_redis: Redis
) -> None:
    with several(3, tmp_path, database, shared_redis) as servers:
        wait_for(lambda: all(server.get("/client-count").status_code == 200 for server in servers))
        assert counts(servers) == {0}
        cookies = [new_cookie(servers[0]) for _ in range(2)]
        with ExitStack() as stack:
            for number in range(1, 31):
                stack.enter_context(open_plain_tab(random.choice(servers), cookies[number % 2]))
                assert counts(servers) == {number}
            detail = servers[0].get("/client-count?detail=1").json()
            assert (detail["count"], detail["visitors"], sum(detail["processes"].values())) == (30, 2, 30)
            assert len(detail["processes"]) == 3 * WORKERS
            assert abs(detail["as_of"] - time.time()) < SECONDS
            with open_plain_tab(servers[1], cookies[0]) as tab:
                wait_for(lambda: "31" in answer(tab, "How many people are you talking to?"))
        wait_for(lambda: counts(servers) == {0}, seconds=AT_ONCE)


def test_who_was_connected_to_a_killed_server_is_not_counted(
    tmp_path: Path, database: PostgreSQL, shared_redis: Redis
) -> None:
    with several(3, tmp_path, database, shared_redis) as servers, ExitStack() as stack:
        for server in servers:
            cookie = new_cookie(server)
            for _ in range(5):
                stack.enter_context(open_plain_tab(server, cookie))
        assert counts(servers) == {15}
        servers[2].process.kill()
        killed = time.monotonic()
        wait_for(lambda: counts(servers[:2]) == {10}, seconds=AT_ONCE)
        assert time.monotonic() - killed < AT_ONCE


def test_limits_hold_for_all_servers_together(tmp_path: Path, database: PostgreSQL, shared_redis: Redis) -> None:
    limits = {"DIEGO_RATE_LIMIT": "6", "DIEGO_MAX_CONNECTIONS_PER_VISITOR": "3"}
    with several(2, tmp_path, database, shared_redis, **limits) as (one, other), ExitStack() as stack:
        cookie = new_cookie(one)
        tabs = [stack.enter_context(open_tab(server, cookie)) for server in (one, other, one)]
        with pytest.raises(InvalidStatus) as refused:
            open_tab(other, cookie)
        assert refused.value.response.status_code == 429
        replies = [ask(tab, "Hello") for tab in (*tabs, *tabs, *tabs)]
        assert [reply["type"] for reply in replies] == ["reply"] * 6 + ["error"] * 3
        assert all(0 < reply["retry_after"] <= 10 for reply in replies[6:])
        tabs[0].close()
        wait_for(lambda: one.count() == 2)
        with open_tab(other, cookie):
            pass


def test_so_many_come_and_go_and_nobody_is_left(tmp_path: Path, database: PostgreSQL, shared_redis: Redis) -> None:
    with several(3, tmp_path, database, shared_redis, DIEGO_MAX_CONNECTIONS_PER_VISITOR="0") as servers:
        cookie = new_cookie(servers[0])

        def come_and_go(number: int) -> None:
            with open_plain_tab(servers[number % 3], cookie) as tab:
                if number % 4 == 0:
                    os.close(tab.socket.detach())

        with ThreadPoolExecutor(16) as pool:
            assert len([*pool.map(come_and_go, range(2000))]) == 2000
        wait_for(lambda: counts(servers) == {0}, seconds=BACK_SECONDS)


def test_a_frozen_server_is_not_counted_and_counted_again(
    tmp_path: Path, database: PostgreSQL, shared_redis: Redis
) -> None:
    with several(2, tmp_path, database, shared_redis) as (one, other), ExitStack() as stack:
        for server in (one, other):
            stack.enter_context(open_plain_tab(server, new_cookie(server)))
        assert one.count() == 2
        other.send(signal.SIGSTOP)
        try:
            wait_for(lambda: one.get("/client-count").status_code == 503)
        finally:
            other.send(signal.SIGCONT)
        wait_for(lambda: one.get("/client-count").json().get("count") == 2, seconds=BACK_SECONDS)


@pytest.mark.anyio
async def test_who_has_come_back_does_not_take_others_for_gone_who_may_be_about_to(shared_redis: Redis) -> None:
    async def counted() -> int | None:
        with suppress(Unreachable):
            return (await here.count()).clients
        return None

    async def counts_at_last(number: int) -> None:
        async with asyncio.timeout(BACK_SECONDS):
            while await counted() != number:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

    url = shared_redis.url(950)
    async with linked(url) as link:
        here = Register(link, lambda: 1)
        await here.open()
        async with linked(url) as other:
            await Register(other, lambda: 1).open()
            await counts_at_last(2)
        await counts_at_last(1)  # its socket is closed
        came = asyncio.Event()
        link.on_up.append(came.set)
        await link.do("CLIENT", "KILL", "TYPE", "pubsub")
        await asyncio.wait_for(came.wait(), SECONDS)
        assert await counted() is None
        await counts_at_last(1)
