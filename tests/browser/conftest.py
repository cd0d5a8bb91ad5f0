"""What the tests in a real browser share."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browsers import PROGRAMS, Visitors, browsing, find_browser
from tests.processes import Server
from tests.small import serving_small

expect.set_options(timeout=60_000)


# Not for the whole session: while Playwright runs, no other test can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser, for all tests of a file. Where there is none they are skipped; in CI they then fail."""
    program = find_browser()
    if program is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"there is none of {', '.join(PROGRAMS)} here")
    with browsing(program) as browser:
        yield browser


@pytest.fixture
def visit(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Visitors]:
    """Who opens pages. The test fails if anything goes wrong in them that it does not expect."""
    if "own_server" in request.fixturenames:
        request.getfixturevalue("own_server")  # begun before the pages, it outlives them
    visitors = Visitors(browser)
    yield visitors
    assert visitors.close() == []


@pytest.fixture(scope="session")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real Diego, who knows little, for all tests here."""
    with serving_small(tmp_path_factory.mktemp("small")) as server:
        yield server
