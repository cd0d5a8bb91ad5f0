"""That the pictures for the documentation can be taken, whatever Diego says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.screenshots import TOKEN, take_all
from tests.browsers import Visitors, needs_package
from tests.processes import STAND_IN, Server, serving

pytestmark = [pytest.mark.server, needs_package("socket.io-client")]

WIDTHS = {"phone": 390, "desktop": 1280}


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that operators may look into."""
    with serving(tmp_path, *STAND_IN, DIEGO_ADMIN_TOKEN=TOKEN) as server:
        yield server


def test_all_pages_are_taken_on_all_screens(visit: Visitors, own_server: Server, tmp_path: Path) -> None:
    take_all(visit, own_server, tmp_path)
    pictures = {path.stem: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert {*pictures} == {
        f"{page}-{window}-{scheme}"
        for page in ("chat", "room", "insights")
        for window in WIDTHS
        for scheme in ("light", "dark")
    }
    assert len({*pictures.values()}) == len(pictures)
    for name, picture in pictures.items():
        assert int.from_bytes(picture[16:20]) == WIDTHS[name.split("-")[1]]  # where a PNG says how wide it is
