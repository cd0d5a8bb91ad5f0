"""That the pictures for the documentation can be taken, whatever Diego says."""

from pathlib import Path

import pytest

from tests.browser.screenshots import take_all
from tests.browsers import Visitors, needs_package
from tests.processes import Server

pytestmark = [pytest.mark.server, needs_package("socket.io-client")]

WIDTHS = {"phone": 390, "desktop": 1280}


def test_all_pages_are_taken_on_all_screens(visit: Visitors, server: Server, tmp_path: Path) -> None:
    take_all(visit, server, tmp_path)
    pictures = {path.stem: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert {*pictures} == {
        f"{page}-{window}-{scheme}" for page in ("chat", "room") for window in WIDTHS for scheme in ("light", "dark")
    }
    assert len({*pictures.values()}) == len(pictures)
    for name, picture in pictures.items():
        assert int.from_bytes(picture[16:20]) == WIDTHS[name.split("-")[1]]  # where a PNG says how wide it is
