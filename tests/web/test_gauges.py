from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient

from chatbot.web.threads import MOST
from tests.processes import Server, wait_for
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


@pytest.mark.server
def test_what_waits_for_a_thread_is_counted(own_server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(MOST + 10):
            stack.enter_context(own_server.connect()).send("slow 60")
        wait_for(lambda: scrape(own_server)["diego_threads",] == MOST, own_server)
        wait_for(lambda: scrape(own_server)["diego_calls_waiting",] >= 10, own_server)


def test_a_chatbot_that_has_no_knowledge_has_no_numbers_of_it(client: TestClient) -> None:
    assert not any("know" in name for name, *_ in samples(client.get("/metrics").text))
