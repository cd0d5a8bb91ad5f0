import signal
from collections.abc import Iterator

import pytest

from tests.bystanders import SMALL_TALK, bystander
from tests.processes import STAND_IN, Server, serving
from tests.scale import only_one_process

pytestmark = pytest.mark.server

BLOCKING = f"""
import time
from starlette.responses import Response
from tests.stand_ins import app

async def block(request):
    time.sleep(3)
    return Response()

app.router.add_route('/block', block)
app.router.routes.insert(0, app.router.routes.pop())
{STAND_IN[1]}
"""


@pytest.fixture(scope="module")
def blocking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One whose event loop stands still for three seconds whenever somebody asks for it."""
    with serving(tmp_path_factory.mktemp("server"), "-c", BLOCKING) as server:
        yield server


def test_somebody_chats_as_long_as_the_block_lasts(blocking_server: Server) -> None:
    with bystander(blocking_server):
        assert blocking_server.count() == 1
    assert blocking_server.count() == 0


def test_it_chats_with_the_real_diego_too(own_small_server: Server) -> None:
    with bystander(own_small_server, SMALL_TALK):
        own_small_server.get("/")


@only_one_process  # others would reply
def test_it_fails_if_replies_take_long(blocking_server: Server) -> None:
    with pytest.raises(AssertionError, match="Of 100 replies one took [2-9]"), bystander(blocking_server):
        blocking_server.get("/block")


def test_it_fails_if_a_reply_is_wrong(blocking_server: Server) -> None:
    replies = {"Hello": "Hello to you."}
    with pytest.raises(AssertionError, match="To 'Hello' the reply was 'Hello'."), bystander(blocking_server, replies):
        pass


@only_one_process  # nginx keeps it
def test_it_fails_if_the_connection_is_lost(own_server: Server) -> None:
    with pytest.raises(AssertionError, match="ConnectionClosed"), bystander(own_server):
        own_server.stop(signal.SIGKILL)


def test_it_hides_no_failure_of_the_block(blocking_server: Server) -> None:
    with pytest.raises(ZeroDivisionError), bystander(blocking_server):
        _ = 1 / 0
    assert "Traceback" not in blocking_server.log
