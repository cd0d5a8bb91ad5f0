import asyncio
from typing import Any

import pytest

from chatbot.shared import calls as calls_module
from chatbot.shared.calls import Calls
from chatbot.shared.link import Link, Unreachable
from tests.processes import needs
from tests.redis import Redis, linked

pytestmark = [pytest.mark.anyio, needs("redis-server")]


async def opened(link: Link) -> Calls:
    calls = Calls(link)
    await calls.open()
    return calls


async def answer(question: Any) -> Any:
    return question


async def test_another_process_answers_and_all_others_do(shared_redis: Redis) -> None:
    url = shared_redis.url(920)
    async with linked(url) as one, linked(url) as other, linked(url) as third:
        everybody = {link.process: await opened(link) for link in (one, other, third)}
        for name, calls in everybody.items():

            async def named(question: Any, name: str = name) -> Any:
                return {"of": name, "question": question}

            await calls.serve("test", named)
        asking = everybody[one.process]
        for process in (other.process, third.process):
            assert await asking.ask(process, "test", ["¿Qué?", 1], 10) == {"of": process, "question": ["¿Qué?", 1]}
        answers = await asking.ask_others("test", 7, 10)
        assert {answer["of"] for answer in answers} == {other.process, third.process}
        many = await asyncio.gather(*(asking.ask(other.process, "test", number, 10) for number in range(500)))
        assert [answer["question"] for answer in many] == [*range(500)]


async def test_who_is_alone_gets_no_answers_at_once(shared_redis: Redis) -> None:
    async with linked(shared_redis.url(921)) as link:
        calls = await opened(link)
        await calls.serve("test", answer)
        async with asyncio.timeout(5):
            assert await calls.ask_others("test", 7, 60) == []
            with pytest.raises(Unreachable):
                await calls.ask("nobody", "test", 7, 60)


async def test_one_that_fails_or_hangs_does_not_keep_the_others_answers_back(shared_redis: Redis) -> None:
    async def fail(question: Any) -> Any:
        raise ValueError(question)

    async def hang(_question: Any) -> Any:
        await asyncio.sleep(60)

    url = shared_redis.url(922)
    async with linked(url) as one, linked(url) as other, linked(url) as third, linked(url) as fourth:
        asking = await opened(one)
        for link, function in ((other, answer), (third, fail), (fourth, hang)):
            await (await opened(link)).serve("test", function)
        await asking.serve("test", answer)
        assert await asking.ask_others("test", 7, 0.5) == [7]


async def test_no_more_waits_than_is_bounded(shared_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "MOST_WAITING", 5)
    url = shared_redis.url(923)
    async with linked(url) as one, linked(url) as other:
        asking, answering = await opened(one), await opened(other)
        await answering.serve("test", answer)
        asked = (asking.ask(other.process, "test", number, 10) for number in range(8))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert answers[:5] == [*range(5)]
        assert all(isinstance(answer, Unreachable) for answer in answers[5:])
