"""What several test files share."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from app import app
from tests.databases import url_in
from tests.postgresql import PostgreSQL, postgresql
from tests.processes import IMPATIENT, STAND_IN, Server, serving
from tests.redis import Redis, redis
from tests.small import serving_small

_MOST_LINES = 200


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, of a test that failed, what its servers printed: it may not fail again."""
    report = yield
    given = getattr(item, "funcargs", {}).values() if report.failed else ()
    printed = {one.output for one in given if isinstance(one, Server)}
    printed.update(file for one in given if isinstance(one, Path) for file in one.glob("output-*.txt"))
    for file in sorted(printed):
        lines = file.read_text(errors="replace").splitlines()[-_MOST_LINES:]
        report.sections.append((f"{file.parent.name}/{file.name}", "\n".join(lines)))
    return report


@pytest.fixture(autouse=True)
def _no_pragmas(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stock ChatterBot has pragmas for every engine of the process: those of other tests are to have none."""
    hung: list[tuple[Any, ...]] = []
    listens_for = event.listens_for

    def noting(*of: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
        def hang(function: Callable[..., None]) -> Callable[..., None]:
            hung.append((*of, function))
            listens_for(*of)(function)
            return function

        return hang

    monkeypatch.setattr(event, "listens_for", noting)
    yield
    for one in hung:
        event.remove(*one)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the stand-in for the chatbot, for all tests of a file."""
    with serving(tmp_path_factory.mktemp("server"), *STAND_IN) as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """The same for one test, which may stop it."""
    with serving(tmp_path, *STAND_IN) as server:
        yield server


@pytest.fixture
def own_small_server(tmp_path: Path) -> Iterator[Server]:
    """One with the real Diego, who knows little, for one test."""
    with serving_small(tmp_path) as server:
        yield server


@pytest.fixture
def impatient_server(tmp_path: Path) -> Iterator[Server]:
    """The same, but it waits a short time only for a client that does not read."""
    with serving(tmp_path, *IMPATIENT) as server:
        yield server


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where terminal clients keep what is to last: not among what whoever runs the tests keeps."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "diego"


@pytest.fixture
def lenient_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client that is told of errors as one in the network is."""
    monkeypatch.setenv("DIEGO_DATABASE_URL", url_in(tmp_path))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def database() -> Iterator[PostgreSQL]:
    """A PostgreSQL for all that need one which is not stopped."""
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[Redis]:
    """A Redis for the same."""
    with redis() as server:
        yield server
