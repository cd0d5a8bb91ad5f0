"""A real server with a skill that hangs: everybody gets a reply, and in time."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from websockets.asyncio.client import connect

from chatbot.web.threads import MOST
from tests.bystanders import SMALL_TALK, bystander
from tests.hanging import GO
from tests.processes import SECONDS, Server, wait_for
from tests.rooms import guest
from tests.small import UNKNOWN, answer, serving_small
from tests.tabs import ask, history, new_cookie, open_plain_tab, open_tab

pytestmark = pytest.mark.server


@pytest.fixture
def hanging_server(tmp_path: Path) -> Iterator[Server]:
    """One whose replies may take a second, so that those that hang are told from those that only wait.

    Nobody is asked to come again, as a whole crowd may be that hangs at once."""
    with serving_small(
        tmp_path, DIEGO_SKILLS="tests.hanging.Hanging", DIEGO_REPLY_SECONDS="1", DIEGO_MAX_WAITING_REPLIES="0"
    ) as server:
        yield server


def go_on(server: Server) -> None:
    (server.output.parent / GO).touch()


@pytest.mark.anyio
async def test_a_skill_that_hangs_for_everybody_keeps_nobody_from_a_reply(hanging_server: Server) -> None:
    async def says(text: str) -> str:
        async with connect(hanging_server.url, open_timeout=SECONDS) as tab:
            await tab.send(text)
            return str(await asyncio.wait_for(tab.recv(), SECONDS))

    assert await asyncio.gather(*(says(f"hang {number}") for number in range(3 * MOST))) == [UNKNOWN] * 3 * MOST
    assert await says("Hello") == "Hello to you."
    assert await says("ping") == UNKNOWN
    assert "The adapter Hanging has hung" in hanging_server.log
    assert psutil.Process(hanging_server.process.pid).num_threads() < 2 * MOST
    go_on(hanging_server)

    def is_back() -> bool:
        with hanging_server.connect() as tab:
            return answer(tab, "ping") == "pong"

    await asyncio.to_thread(wait_for, is_back)
    assert "The adapter Hanging is back" in hanging_server.log
    assert "Traceback" not in hanging_server.log


def test_others_do_not_notice_a_few_who_have_it_hang(hanging_server: Server) -> None:
    with bystander(hanging_server, SMALL_TALK), ExitStack() as stack:
        tabs = [stack.enter_context(hanging_server.connect()) for _ in range(5)]
        for number, tab in enumerate(tabs):
            tab.send(f"hang {number}")
        assert [tab.recv(timeout=SECONDS) for tab in tabs] == [UNKNOWN] * 5
    go_on(hanging_server)


@pytest.mark.parametrize("word", ["hang", "spin"])
def test_a_skill_that_hangs_for_one_keeps_working_for_others_and_nothing_is_kept_twice(
    hanging_server: Server, word: str
) -> None:
    cookie = new_cookie(hanging_server)
    with open_tab(hanging_server, cookie) as mine, hanging_server.connect() as other:
        assert ask(mine, word)["text"] == UNKNOWN
        assert answer(other, "ping") == "pong"
        assert ask(mine, "ping")["text"] == "pong"
        assert ask(mine, word)["text"] == UNKNOWN  # as it still hangs with that
        go_on(hanging_server)
        wait_for(lambda: ask(mine, word)["text"] == "I am back.")
    turns = history(hanging_server, cookie)
    assert [turn["reply"] if "reply" in turn else turn["text"] for turn in turns[:3]] == [UNKNOWN, "pong", UNKNOWN]
    assert [turn["seq"] for turn in turns] == [*range(1, len(turns) + 1)]
    assert "has hung" not in hanging_server.log


def test_who_leaves_while_a_skill_hangs_takes_no_thread_from_others(hanging_server: Server) -> None:
    for number in range(MOST + 20):
        with hanging_server.connect() as tab:
            tab.send(f"hang {number}")
    with hanging_server.connect() as tab:
        assert answer(tab, "Hello") == "Hello to you."
    go_on(hanging_server)


def test_a_skill_that_exits_is_passed_over(hanging_server: Server) -> None:
    with open_plain_tab(hanging_server, new_cookie(hanging_server)) as tab:
        assert answer(tab, "exit") == UNKNOWN
        assert answer(tab, "ping") == "pong"
    assert "The adapter Hanging failed and was passed over." in hanging_server.log


@pytest.mark.anyio
async def test_in_the_room_he_answers_without_it_too(hanging_server: Server) -> None:
    async with guest(hanging_server, "Ana") as ana:
        await ana.say("@diego hang")
        assert (await ana.hears("response", name="Diego"))["text"] == UNKNOWN
    go_on(hanging_server)
