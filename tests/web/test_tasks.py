import asyncio
from pathlib import Path

import pytest

from app import app, lifespan
from chatbot.bot.forgotten import Forgotten
from chatbot.web.room import Room
from chatbot.web.tasks import keep_up
from chatbot.web.visitors import Visitors
from tests.databases import url_in
from tests.processes import wait_for

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.web.tasks.PAUSE_SECONDS", 0.01)


async def test_what_fails_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    goes_on = asyncio.Event()

    async def fail_once(name: str) -> None:
        if not caplog.messages:
            raise ValueError(name)
        goes_on.set()
        await asyncio.sleep(30)

    running = asyncio.create_task(keep_up(fail_once, "as asked for"))
    await asyncio.wait_for(goes_on.wait(), 30)
    running.cancel()
    assert [message.endswith("fail_once failed, and goes on in 0.01 s.") for message in caplog.messages] == [True]
    assert "ValueError: as asked for" in caplog.text


@pytest.mark.parametrize("owner", [Visitors, Room])
async def test_everything_that_watches_goes_on_after_an_error_that_nobody_expects(
    owner: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_forgotten: Forgotten) -> int:
        failures.append(1)
        raise KeyError("of a new kind")

    failures: list[int] = []
    monkeypatch.setenv("DIEGO_DATABASE_URL", url_in(tmp_path))
    monkeypatch.setattr(f"{owner.__module__}.WATCH_SECONDS", 0.01)
    async with lifespan(app):
        monkeypatch.setattr(Forgotten, "count", fail)
        await asyncio.to_thread(wait_for, lambda: len(failures) > 1)
    assert any(owner.__name__ in message and "failed, and goes on" in message for message in caplog.messages)


async def test_the_count_is_told_on_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def tell_count(*_: object) -> None:
        told.append(1)
        raise KeyError("of a new kind")

    told: list[int] = []
    monkeypatch.setenv("DIEGO_DATABASE_URL", url_in(tmp_path))
    monkeypatch.setattr("app.tell_count", tell_count)
    async with lifespan(app):
        await asyncio.to_thread(wait_for, lambda: len(told) > 1)
    assert "tell_count failed, and goes on" in caplog.text
