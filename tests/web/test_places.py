from contextlib import AsyncExitStack, suppress

import pytest
from starlette.exceptions import HTTPException

from chatbot.settings import Settings
from chatbot.web.places import FULL, Connections, Place, Places

pytestmark = pytest.mark.anyio


def connections(**limits: int) -> Connections:
    return Connections(Settings(**{f"max_connections{name}": most for name, most in limits.items()}))  # type: ignore[arg-type]


async def refusal(place: Place) -> HTTPException:
    with pytest.raises(HTTPException) as refused:
        await place.take()
    return refused.value


async def test_one_too_many_is_told_how_many_there_may_be_and_when_to_come_again() -> None:
    places = Places(2, 429, "There may be {}.")
    async with places.one("a"), places.one("a"):
        refused = await refusal(places.one("a"))
        assert (refused.status_code, refused.detail) == (429, "There may be 2.")
        assert refused.headers == {"Retry-After": "10"}
        async with places.one("b"):
            pass
    async with places.one("a"):
        pass


async def test_0_is_no_limit() -> None:
    places = Places(0, 429, "")
    async with AsyncExitStack() as stack:
        for _ in range(1000):
            await stack.enter_async_context(places.one("a"))


async def test_nothing_is_left_of_those_who_were_here() -> None:
    places = Places(1, 429, "")
    for number in range(100):
        with suppress(LookupError):
            async with places.one(str(number)):
                await refusal(places.one(str(number)))
                raise LookupError
    assert vars(places)["_taken"] == {}


async def test_all_are_counted_together_and_each_address_for_itself() -> None:
    limited = connections(_per_address=1, **{"": 2})
    async with limited.one_from("192.0.2.1"):
        assert "1 connections from your address" in (await refusal(limited.one_from("192.0.2.1"))).detail
        async with limited.one_from("192.0.2.2"):
            full = await refusal(limited.one_from("192.0.2.3"))
            assert (full.status_code, full.detail) == (503, FULL)
        async with limited.one_from("192.0.2.3"):  # who was refused has left nothing behind
            pass


async def test_each_visitor_is_counted() -> None:
    limited = connections(_per_visitor=1)
    async with limited.one_of("a" * 32), limited.one_of("b" * 32):
        assert (await refusal(limited.one_of("a" * 32))).status_code == 429
