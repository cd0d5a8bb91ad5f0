import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.routing import Route
from starlette.testclient import TestClient

from app import app
from chatbot.web.openapi import DOCUMENT
from tests.processes import DIEGO, Server, serving

NOT_FOR_PROGRAMS = {"/", "/room", "/insights", "/socket.io/socket.io.js", "/sio/socket.io/"}
"""Pages, their files, and what Socket.IO describes."""

TOKEN = "a token of some length".replace(" ", "-")
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}

OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
CASES = [(*operation, GenerationMode.POSITIVE) for operation in OPERATIONS] + [
    (path, method, GenerationMode.NEGATIVE)
    for path, method in OPERATIONS
    if DOCUMENT["paths"][path][method].keys() & {"parameters", "requestBody"}  # else there is nothing to get wrong
]
# A WebSocket's handshake is no request, and a text may have the right length and nothing that can be seen.
NOT_EXPECTED: list[schemathesis.CheckFunction] = [positive_data_acceptance]
BOUNDED = settings(
    max_examples=50, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def test_the_document_has_every_endpoint_and_no_other() -> None:
    routes = [route for route in app.routes if isinstance(route, Route) and route.path not in NOT_FOR_PROGRAMS]
    served = {
        (re.sub(":[a-z]+}", "}", route.path), method.lower()) for route in routes for method in route.methods or ()
    }
    assert {*OPERATIONS} == {(path, method) for path, method in served if method != "head"}


def test_the_document_is_served(client: TestClient) -> None:
    assert client.get("/openapi.json").json() == DOCUMENT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that has a page for operators, where knowledge is learned."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "hours.csv").write_text("text,reply\nWhen are you open?,From nine to five.\n")
    with serving(folder, *DIEGO, DIEGO_CORPORA="hours.csv", DIEGO_ADMIN_TOKEN=TOKEN) as server:
        yield server


@pytest.mark.server
@pytest.mark.parametrize(("path", "method", "mode"), CASES)
def test_whatever_is_asked_the_answer_is_one_of_the_document(
    server: Server, path: str, method: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
    answered = 0

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        nonlocal answered
        case.call_and_validate(base_url=f"http://{server.address}", excluded_checks=NOT_EXPECTED, headers=OPERATOR)
        answered += 1

    ask()
    assert answered
    assert "Traceback" not in server.log
