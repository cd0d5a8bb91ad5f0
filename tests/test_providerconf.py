import asyncio

import pytest

from chatbot.settings import Settings
from chatbot.web.metrics import Metrics
from chatbot.web.tab import Tab
from providerconf import clients, providers, save_client, threads


@pytest.mark.parametrize(
    "name", ["settings", "diego", "diary", "threads", "clients", "cookies", "rates", "visitors", "room"]
)
def test_what_all_connections_share_lives_as_long_as_the_app(name: str) -> None:
    assert providers.find(name, "the test").scope == "app"


@pytest.mark.anyio
async def test_the_threads_end_with_the_app() -> None:
    lifetime = threads(Settings(), Metrics())
    shared = next(lifetime)
    assert await shared.run(max, 1, 2) == 2
    assert list(lifetime) == []
    with pytest.raises(asyncio.CancelledError):
        await shared.run(max, 1, 2)


@pytest.mark.parametrize("error", [None, RuntimeError("the view failed")])
def test_a_client_counts_as_long_as_its_block_lasts(error: Exception | None) -> None:
    everybody = clients()
    one, other = (Tab.__new__(Tab) for _ in range(2))
    save = save_client(everybody)

    def visit() -> None:
        with save(one):
            assert everybody == {one, other}
            if error:
                raise error

    with save(other):
        if error:
            with pytest.raises(RuntimeError, match="the view failed"):
                visit()
        else:
            visit()
        assert everybody == {other}
    assert everybody == set()
