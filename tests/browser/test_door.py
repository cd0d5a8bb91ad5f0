"""What the pages do when there is no room for them at the moment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chat import LOST, log, shows, state, type_and_send
from tests.browsers import Visitors, needs_package
from tests.processes import STAND_IN, Server, serving

pytestmark = pytest.mark.server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """One with room for one."""
    with serving(tmp_path, *STAND_IN, DIEGO_MAX_CONNECTIONS="1") as server:
        yield server


def test_the_page_goes_on_trying_and_then_says_what_waits(visit: Visitors, own_server: Server) -> None:
    visit.expect(LOST)
    with own_server.connect():
        page = visit(own_server)
        expect(state(page)).to_have_text("No connection – trying again …")
        type_and_send(page, "Hi")
    shows(page, "Hi", "Hi")


@needs_package("socket.io-client")
def test_so_does_that_of_the_room(visit: Visitors, own_server: Server) -> None:
    visit.expect(LOST)
    visit.expect("status of 503")
    with own_server.connect():
        page = visit(own_server, "/room")
        page.get_by_role("textbox", name="Your name").fill("Ana")
        page.get_by_role("button", name="Join").click()
        expect(state(page)).to_have_text("No connection – trying again …")
    expect(state(page)).to_have_text("Connected")
    type_and_send(page, "Hi")
    expect(log(page).locator(".room-message .words")).to_have_text(["Hi"])
