"""The test suite: an echo in Diego's place, and a client."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app import app
from providerconf import provider
from tests.databases import url_in
from tests.scale import IS_SCALED, redis_in


class Echo:
    """Says what was said."""

    def get_response(self, prompt: str, *, conversation: str) -> str:  # noqa: ARG002 - Diego's signature
        return prompt


@provider(scope="app")
def diego() -> Echo:
    """Takes the place of the bot, which is then never built."""
    return Echo()


@pytest.fixture(autouse=True)
def _known_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Diego knows the name by which Starlette's client asks him."""
    monkeypatch.setenv("DIEGO_ALLOWED_HOSTS", "testserver")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client of the app, which runs as long as the test, with a database of its own."""
    monkeypatch.setenv("DIEGO_DATABASE_URL", url_in(tmp_path))
    if IS_SCALED:
        monkeypatch.setenv("DIEGO_REDIS_URL", redis_in(tmp_path))
    for setting in ("DIEGO_RATE_LIMIT", "DIEGO_RATE_LIMIT_PER_ADDRESS"):
        monkeypatch.setenv(setting, "0")
    with TestClient(app) as client:
        yield client


@pytest.fixture
def anyio_backend() -> str:
    """Where async tests run."""
    return "asyncio"
