from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chatbot.web.threads import MOST
from tests.processes import STAND_IN, Server, serving, wait_for
from tests.scale import only_one_process
from tests.scraping import samples, scrape
from tests.tabs import ask, new_cookie, open_tab, receive, send


@pytest.mark.server
def test_who_leaves_or_is_forgotten_is_counted_so(own_small_server: Server) -> None:
    server, cookie = own_small_server, new_cookie(own_small_server)
    with open_tab(server, cookie) as tab:
        ask(tab, "Hello")
        send(tab, type="forget")
        assert receive(tab)["type"] == "forgotten"
    gone = {("diego_visitors_forgotten_total",): 1, ("diego_connections", "chat"): 0, ("diego_people", "chat"): 0}
    wait_for(lambda: gone.items() <= scrape(server).items(), server)


@only_one_process  # others would have threads
@pytest.mark.server
def test_what_waits_for_a_thread_is_counted(tmp_path: Path) -> None:
    patience = {"DIEGO_REPLY_SECONDS": "600", "DIEGO_MAX_WAITING_REPLIES": "0"}
    with ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path, *STAND_IN, port=0, **patience))
        for _ in range(MOST + 10):
            stack.enter_context(server.connect()).send("slow 60")
        wait_for(lambda: scrape(server)["diego_threads",] == MOST, server)
        wait_for(lambda: scrape(server)["diego_calls_waiting",] >= 10, server)


def test_a_chatbot_that_has_no_knowledge_has_no_numbers_of_it(client: TestClient) -> None:
    assert not any("know" in name for name, *_ in samples(client.get("/metrics").text))
