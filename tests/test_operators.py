"""What operators do with `python -m chatbot` while a server runs: its visitors notice nothing but the change."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from websockets.sync.client import ClientConnection

from chatbot.messages import APOLOGY
from tests.databases import only_sqlite
from tests.processes import Server, wait_for
from tests.small import UNKNOWN, answer, answers, operate, visitor_of
from tests.tabs import new_cookie, open_plain_tab

pytestmark = pytest.mark.server

ROWS = 20_000


def answered(tab: ClientConnection, prompt: str, reply: str) -> None:
    """Wait until that is the reply."""
    wait_for(lambda: answer(tab, prompt) == reply)


def test_an_approved_lesson_is_for_all_until_its_visitor_is_forgotten(own_small_server: Server) -> None:
    prompt, reply = "What is a wibbler?", "One who wibbles."
    cookie = new_cookie(own_small_server)
    with open_plain_tab(own_small_server, cookie) as ann:
        answer(ann, f"/teach {prompt} => {reply}")
        assert answer(ann, prompt) == reply
    with open_plain_tab(own_small_server, new_cookie(own_small_server)) as bob:
        assert answer(bob, prompt) == UNKNOWN
        assert f'1         "{prompt}" => "{reply}"' in operate(own_small_server, "lessons")
        operate(own_small_server, "approve", "1")
        answered(bob, prompt, reply)
        operate(own_small_server, "forget", "--visitor", visitor_of(ann))
        answered(bob, prompt, UNKNOWN)
    with open_plain_tab(own_small_server, cookie) as nobody:
        answered(nobody, prompt, UNKNOWN)


@only_sqlite  # on PostgreSQL nobody waits for another's transaction
def test_who_chats_does_not_wait_for_a_training(own_small_server: Server) -> None:
    with (
        closing(sqlite3.connect(own_small_server.output.parent / "diego.db")) as knowledge,
        open_plain_tab(own_small_server, new_cookie(own_small_server)) as tab,
    ):
        knowledge.execute("BEGIN IMMEDIATE")  # as long as it lasts
        told = answers(tab, ["Hello", "My name is Ann.", "/teach What am I? => A walrus.", "What am I?"])
        assert (told[0], told[3]) == ("Hello to you.", "A walrus.")
        assert APOLOGY not in told


def test_what_is_trained_beside_those_who_chat_disturbs_nobody(own_small_server: Server) -> None:
    rows = [f"What is the number {number}?,It is the number {number}.\n" for number in range(ROWS)]
    (own_small_server.output.parent / "numbers.csv").write_text("".join(["text,reply\n", *rows]))
    trained = threading.Event()

    def chat(tab: ClientConnection) -> list[str]:
        replies = []
        while not trained.is_set():
            replies += [answer(tab, "Hello"), answer(tab, "What is 6 times 7?")]
        return replies

    with open_plain_tab(own_small_server, new_cookie(own_small_server)) as tab, ThreadPoolExecutor(1) as pool:
        chatting = pool.submit(chat, tab)
        try:
            assert f"Diego learned {2 * ROWS:,} statements" in operate(own_small_server, "train", "numbers.csv")
        finally:
            trained.set()
        replies = chatting.result()
        assert replies == ["Hello to you.", "6 × 7 = 42"] * (len(replies) // 2)
        answered(tab, f"What is the number {ROWS - 1}?", f"It is the number {ROWS - 1}.")
    assert "Traceback" not in own_small_server.log
