import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from chatbot.shared import link as link_module
from chatbot.shared.link import Unreachable
from tests.processes import needs
from tests.redis import Redis, linked, redis

pytestmark = [pytest.mark.anyio, needs("redis-server")]


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def heard(bells: list[str], number: int) -> list[str]:
    """What rang, when so many have."""
    await until(lambda: len(bells) >= number)
    return bells


async def test_what_many_ask_at_a_time_is_answered_to_each_in_order(shared_redis: Redis) -> None:
    async with linked(shared_redis.url(900)) as link:
        await link.do("DEL", link.key("n"))
        answers = await asyncio.gather(*(link.do("INCR", link.key("n")) for _ in range(1000)))
        assert answers == [*range(1, 1001)]


async def test_a_bell_is_heard_by_all_who_hung_it_and_by_none_after_that(shared_redis: Redis) -> None:
    url = shared_redis.url(901)
    async with linked(url) as one, linked(url) as other, linked(shared_redis.url(902)) as elsewhere:
        here: list[str] = []
        there: list[str] = []
        await one.hang("bell", here.append)
        await other.hang("bell", there.append)
        await elsewhere.hang("bell", lambda _: pytest.fail("of another Diego"))
        assert await one.ring("bell", "¡Hola!") == 2
        assert [await heard(bells, 1) for bells in (here, there)] == [["¡Hola!"], ["¡Hola!"]]
        await one.take_down("bell")
        assert await other.ring("bell", "again") == 1
        assert (await heard(there, 2))[1] == "again"
        assert here == ["¡Hola!"]


async def test_a_bell_that_fails_keeps_no_other_from_ringing(shared_redis: Redis) -> None:
    async with linked(shared_redis.url(903)) as link:
        rung: list[str] = []
        await link.hang("bad", lambda text: rung.append(str(int(text))))
        await link.hang("good", rung.append)
        await link.ring("bad", "no number")
        await link.ring("good", "yes")
        assert await heard(rung, 1) == ["yes"]


async def test_what_redis_refuses_is_refused_to_who_asked_and_the_others_go_on(shared_redis: Redis) -> None:
    async with linked(shared_redis.url(904)) as link:
        with pytest.raises(Unreachable):
            await link.do("NO SUCH COMMAND")
        await until(lambda: link.is_up)
        assert await link.do("ECHO", "yes") == "yes"


async def test_scripts_that_redis_has_forgotten_are_told_again(shared_redis: Redis) -> None:
    async with linked(shared_redis.url(905)) as link:
        await link.do("SCRIPT", "FLUSH")
        with suppress(Unreachable):
            await link.call("total", "all", "")
        await until(lambda: link.is_up)
        assert await link.call("total", "all", "") == 0


@pytest.mark.parametrize("fault", ["frozen", "killed", "never there"])
async def test_nobody_waits_for_a_redis_that_is_gone_and_bells_are_heard_when_it_is_back(fault: str) -> None:
    with redis() as own:
        if fault == "never there":
            own.stop()
        async with linked(own.url()) as link:
            ups: list[bool] = []
            link.on_up.append(lambda: ups.append(link.is_up))
            rung: list[str] = []
            await link.hang("before", rung.append)
            if fault != "never there":
                (own.freeze if fault == "frozen" else own.stop)()
                with pytest.raises(Unreachable):
                    async with asyncio.timeout(2 * link_module.CALL_SECONDS):
                        await link.do("ECHO", "yes")
            async with asyncio.timeout(0.1):
                await link.hang("meanwhile", rung.append)
                for _ in range(1000):
                    with pytest.raises(Unreachable):
                        await link.do("ECHO", "yes")
            (own.thaw if fault == "frozen" else own.start)()
            await until(lambda: link.is_up)
            assert ups == [True]
            for bell in ("before", "meanwhile"):
                await link.ring(bell, bell)
            assert await heard(rung, 2) == ["before", "meanwhile"]


async def test_it_notices_by_itself_that_redis_is_frozen() -> None:
    with redis() as own:
        async with linked(own.url()) as link:
            own.freeze()
            await until(lambda: not link.is_up)
            own.thaw()
            await until(lambda: link.is_up)


async def test_no_more_waits_than_is_bounded(shared_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "MOST_WAITING", 10)
    async with linked(shared_redis.url(906)) as link:
        answers = await asyncio.gather(*(link.do("ECHO", "yes") for _ in range(20)), return_exceptions=True)
        assert answers[:10] == ["yes"] * 10
        assert all(isinstance(answer, Unreachable) for answer in answers[10:])
