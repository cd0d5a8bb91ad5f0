import asyncio
from collections.abc import Awaitable, Callable

import pytest

from chatbot.shared.calls import Calls
from chatbot.shared.link import Link
from chatbot.web import relay as relay_module
from chatbot.web.relay import Answer, Polled, Relay
from tests.processes import needs
from tests.redis import Redis, linked

pytestmark = [pytest.mark.anyio, needs("redis-server")]

POLLED = Polled("POST", "http", "EIO=4&sid=x", {"host": "example.org"}, "40¡Hola!")


async def opened(link: Link, answer: Callable[[Polled], Awaitable[Answer]]) -> Relay:
    """A relay at that process."""
    calls = Calls(link)
    await calls.open()
    relay = Relay(link.process, calls)
    await relay.open(answer)
    return relay


async def echo(polled: Polled) -> Answer:
    return Answer(200, {**polled.headers, "x": "y"}, f"{polled.method} {polled.query} {polled.body}")


async def test_the_process_that_has_the_session_answers(shared_redis: Redis) -> None:
    url = shared_redis.url(910)
    async with linked(url) as one, linked(url) as other:
        here, there = await opened(one, echo), await opened(other, echo)
        answers = await asyncio.gather(*(here.ask(there.new_id(), POLLED) for _ in range(100)))
        assert answers == 100 * [Answer(200, {"host": "example.org", "x": "y"}, "POST EIO=4&sid=x 40¡Hola!")]


@pytest.mark.parametrize("session", ["", "abc", "0123456789abcdef.abc", "own"])
async def test_a_session_that_no_other_process_has_is_none(shared_redis: Redis, session: str) -> None:
    async with linked(shared_redis.url(911)) as link:
        relay = await opened(link, echo)
        assert await relay.ask(relay.new_id() if session == "own" else session, POLLED) is None


async def test_nobody_waits_for_ever_for_a_process_that_does_not_answer(
    shared_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "SECONDS", 0.2)
    url = shared_redis.url(912)
    late = asyncio.Event()

    async def answer_late(polled: Polled) -> Answer:
        await late.wait()
        return await echo(polled)

    async with linked(url) as one, linked(url) as other:
        here, there = await opened(one, echo), await opened(other, answer_late)
        assert await here.ask(there.new_id(), POLLED) is None
        late.set()
        await asyncio.sleep(0.1)
        monkeypatch.setattr(relay_module, "SECONDS", 30)
        assert await here.ask(there.new_id(), POLLED) == await echo(POLLED)
