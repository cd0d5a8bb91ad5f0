"""The room of several servers: what is said at one is heard at all."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chatbot.web.people import NAME_RESERVED, NAME_TAKEN
from tests.postgresql import PostgreSQL, needs_postgresql
from tests.processes import needs, wait_for
from tests.redis import Redis, redis
from tests.rooms import Guest, guest, refusal
from tests.several import several
from tests.tabs import new_cookie

pytestmark = [pytest.mark.server, pytest.mark.anyio, needs("redis-server"), needs_postgresql]


def numbers(guest: Guest) -> list[int]:
    """Those of the messages that somebody has been told of."""
    return [message["number"] for message in guest.all("response")]


async def test_all_hear_the_same_in_the_same_order(tmp_path: Path, database: PostgreSQL, shared_redis: Redis) -> None:
    with several(3, tmp_path, database, shared_redis) as servers:
        async with AsyncExitStack() as stack:
            guests = [await stack.enter_async_context(guest(server, f"Guest of {server.port}")) for server in servers]
            texts = [f"Message {number}" for number in range(60)]
            await asyncio.gather(*(random.choice(guests).say({"text": text, "id": text[8:]}) for text in texts))
            for one in guests:
                await one.hears_so_many("response", len(texts))
                assert sorted(one.texts) == sorted(texts)
            assert guests[0].texts == guests[1].texts == guests[2].texts
            assert numbers(guests[0]) == sorted(numbers(guests[0]))
            async with guest(servers[1], "Late") as late:
                assert late.texts == guests[0].texts


async def test_who_comes_and_goes_is_told_to_all(tmp_path: Path, database: PostgreSQL, shared_redis: Redis) -> None:
    with several(2, tmp_path, database, shared_redis) as (one, other):
        async with guest(one, "Ana") as ana:
            async with guest(other, "Ben") as ben:
                async with guest(one, "Aaron") as late:
                    assert (await late.hears("welcome"))["people"] == ["Diego", "Ana", "Ben", "Aaron"]
                await ana.hears("joined", name="Ben")
                await ben.client.emit("typing")
                await ana.hears("typing", name="Ben")
            await ana.hears("left", name="Ben")
            async with guest(other, "Cleo"):
                await ana.hears("joined", name="Cleo")
                other.process.kill()
                await ana.hears("left", name="Cleo")


async def test_a_name_is_one_visitors_at_all_servers(tmp_path: Path, database: PostgreSQL, shared_redis: Redis) -> None:
    with several(2, tmp_path, database, shared_redis) as (one, other):
        cookie = new_cookie(one)
        async with guest(one, "Ana", cookie) as ana:
            assert await refusal(other, "ANA") == {"message": NAME_TAKEN.format("ANA")}
            async with guest(other, None, cookie) as same, guest(other, "aNA", cookie) as also:
                assert (await same.hears("welcome"))["name"] == (await also.hears("welcome"))["name"] == "Ana"
                assert one.count() == 1
                async with guest(other) as stranger, guest(one) as another:
                    names = {(await person.hears("welcome"))["name"] for person in (stranger, another)}
                    assert names == {"Guest 1", "Guest 2"}
            assert "Ana" not in [event["name"] for event in ana.all("joined") + ana.all("left")]
        wait_for(lambda: one.count() == 0)
        async with guest(other, "ana"):
            pass


async def test_a_guest_has_the_same_name_at_all_servers(
    tmp_path: Path, database: PostgreSQL, shared_redis: Redis
) -> None:
    with several(2, tmp_path, database, shared_redis) as (one, other):
        cookie = new_cookie(one)
        async with guest(one, None, cookie):
            assert await refusal(other, "Guest 1") == {"message": NAME_RESERVED.format("Guest 1")}
            async with guest(other, "Guest 1", cookie) as same:
                assert (await same.hears("welcome"))["people"] == ["Diego", "Guest 1"]


async def test_diego_answers_once(tmp_path: Path, database: PostgreSQL, shared_redis: Redis) -> None:
    with several(3, tmp_path, database, shared_redis) as servers:
        async with AsyncExitStack() as stack:
            guests = [await stack.enter_async_context(guest(server, f"{server.port}")) for server in servers]
            asked = (await guests[0].say("@diego What is a walrus?"))["number"]
            for one in guests:
                await one.hears("typing", name="Diego")
                assert (await one.hears("response", answers=asked))["text"] == "A large animal with tusks."
            await guests[1].say("Thanks")
            for one in guests:
                await one.hears_so_many("response", 3)
                assert len([said for said in one.all("response") if said["name"] == "Diego"]) == 1


async def test_what_is_said_again_at_another_server_is_said_once(
    tmp_path: Path, database: PostgreSQL, shared_redis: Redis
) -> None:
    with several(2, tmp_path, database, shared_redis) as (one, other):
        cookie = new_cookie(one)
        async with guest(one, "Ana", cookie) as here, guest(other, None, cookie) as there:
            for number in range(20):
                message = {"text": f"Message {number}", "id": f"m{number}"}
                told = await asyncio.gather(here.say(message), there.say(message))
                assert told[0] == told[1]
            for person in (here, there):
                await person.hears_so_many("response", 20)
                assert person.texts == [f"Message {number}" for number in range(20)]


@pytest.mark.parametrize("fault", ["frozen", "killed"])
async def test_while_redis_is_gone_the_room_goes_on(fault: str, tmp_path: Path, database: PostgreSQL) -> None:
    with redis() as own, several(2, tmp_path, database, own) as (one, other):
        async with guest(one, "Ana") as ana, guest(other, "Ben") as ben:
            (own.freeze if fault == "frozen" else own.stop)()
            await ana.say("Is anybody there?")
            await ben.hears("response", text="Is anybody there?")
            await ben.say("I am")
            await ana.hears("response", text="I am")
            async with guest(one, "Cleo"):
                (own.thaw if fault == "frozen" else own.start)()
                await ben.hears("joined", name="Cleo")
                assert await refusal(other, "Cleo") == {"message": NAME_TAKEN.format("Cleo")}
            await ben.hears("left", name="Cleo")
            assert "Ana" not in [event["name"] for event in ben.all("left")]
