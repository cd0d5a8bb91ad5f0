"""Servers that are attacked."""

from collections.abc import Iterator

import pytest

from tests.processes import STAND_IN, Server, serving

HASTY = f"""
from chatbot.web import protocol, server
protocol.HEAD_SECONDS = protocol.TAKE_SECONDS = 1.0
protocol.TAKE_BYTES = 2 << 20
server.GONE_SECONDS = 2
{STAND_IN[1]}
"""


@pytest.fixture(scope="module")
def hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits a second or two where it else waits for ten or more, for all tests of a file."""
    with serving(tmp_path_factory.mktemp("server"), "-c", HASTY) as server:
        yield server
