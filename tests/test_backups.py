"""Backups of a real server that goes on: nobody notices that one is made, and everybody what was restored."""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from chatbot.messages import APOLOGY
from tests.bystanders import SMALL_TALK, bystander
from tests.databases import only_sqlite
from tests.processes import SECONDS, Server, environment, wait_for
from tests.small import SETTINGS, answer, operate, traces, visitor_of
from tests.tabs import ask, history, new_cookie, open_plain_tab, open_tab

pytestmark = [pytest.mark.server, only_sqlite]

CROWD = 20
NEW = "conversations:\n- [What is new?, The backup.]\n"
WALRUS, TUSKS = "What is a walrus?", "A large animal with tusks."


def prompts(server: Server, cookie: str) -> list[str]:
    return [turn["prompt"] for turn in history(server, cookie)]


def train(server: Server, corpus: str) -> None:
    (server.output.parent / "new.yml").write_text(corpus)
    operate(server, "train", "new.yml")


def reply_of_a_stranger(server: Server, text: str) -> str:
    with server.connect() as tab:
        return answer(tab, text)


def read_to_the_end(tab: ClientConnection) -> None:
    while True:
        tab.recv(timeout=SECONDS)


@contextmanager
def chatting(server: Server) -> Iterator[dict[str, list[str]]]:
    """What visitors say, by their cookies, and nobody gets anything but an answer as long as the block lasts."""
    said: dict[str, list[str]] = {new_cookie(server): [] for _ in range(CROWD)}
    over = threading.Event()

    def chat(cookie: str) -> None:
        with open_plain_tab(server, cookie) as tab:
            while not over.is_set():
                said[cookie].append(f"{WALRUS} {len(said[cookie])}")
                assert answer(tab, said[cookie][-1]) != APOLOGY

    with ThreadPoolExecutor(CROWD) as pool:
        everybody = [pool.submit(chat, cookie) for cookie in said]
        try:
            yield said
        finally:
            over.set()
        for one in everybody:
            one.result(SECONDS)


def test_while_backups_are_made_everybody_is_answered_and_each_holds_what_was_said_before(
    own_small_server: Server,
) -> None:
    with chatting(own_small_server) as said:
        for number in range(3):
            wait_for(lambda: min(map(len, said.values())) > 5, own_small_server)
            before = {cookie: texts[:-1] for cookie, texts in said.items()}
            with bystander(own_small_server, SMALL_TALK):
                operate(own_small_server, "backup", f"{number}.zip")
    for cookie, texts in said.items():
        exported = json.loads(own_small_server.get("/conversation/export", Cookie=cookie).text)
        assert [turn["prompt"] for turn in exported["turns"]] == texts
    operate(own_small_server, "restore", "2.zip")
    for cookie, texts in before.items():
        exported = json.loads(own_small_server.get("/conversation/export", Cookie=cookie).text)
        assert [turn["prompt"] for turn in exported["turns"]][: len(texts)] == texts
    assert "Traceback" not in own_small_server.log


def test_a_running_server_goes_on_with_what_was_restored(own_small_server: Server) -> None:
    server, cookie = own_small_server, new_cookie(own_small_server)
    with open_tab(server, cookie) as tab:
        for text in ("Tell me a joke", "Who is there?", "/teach Ping => Pong"):
            ask(tab, text) if text[0] != "/" else tab.send(json.dumps({"type": "message", "text": text}))
        train(server, NEW)
        wait_for(lambda: reply_of_a_stranger(server, "What is new?") == "The backup.", server)
        operate(server, "backup", "backup.zip")
        train(server, NEW.replace("The backup.", "What came later."))
        wait_for(lambda: reply_of_a_stranger(server, "What is new?") == "What came later.", server)
        ask(tab, "Hello")
        tab.send(json.dumps({"type": "message", "text": "/unteach 1"}))
        tab.send(json.dumps({"type": "message", "text": "/teach Ping => Peng"}))
        ask(tab, WALRUS)
        operate(server, "restore", "backup.zip")
        with pytest.raises(ConnectionClosed) as closed:
            read_to_the_end(tab)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    with open_tab(server, cookie, "?last_seq=4") as tab:
        assert prompts(server, cookie) == ["Tell me a joke", "Who is there?"]
        assert ask(tab, "What did you just say?")["seq"] == 3
        assert "Olive." in history(server, cookie)[-1]["text"]
        assert ask(tab, "Ping")["text"] == "Pong"
    wait_for(lambda: reply_of_a_stranger(server, "What is new?") == "The backup.", server)
    assert "Traceback" not in server.log


def test_who_was_forgotten_after_the_backup_stays_so(own_small_server: Server) -> None:
    server, cookie = own_small_server, new_cookie(own_small_server)
    chance = random.Random(1)
    words = ["".join(chance.choices("bcdfghjklmnpqrstvwxz", k=12)).capitalize() for _ in range(5)]
    with open_tab(server, cookie) as tab:
        words.append(visitor_of(tab))
        for word in words:
            ask(tab, f"I like {word}")
        assert traces(server, words) == {*words}
        operate(server, "backup", "backup.zip")
        tab.send(json.dumps({"type": "forget"}))
        with pytest.raises(ConnectionClosed):
            read_to_the_end(tab)
    operate(server, "restore", "backup.zip")
    wait_for(lambda: "A backup was restored" in server.log, server)
    assert traces(server, words) == set()
    assert prompts(server, cookie) == []
    assert visitor_of(server.get("/", Cookie=cookie)) != words[-1]


def test_a_running_server_completes_a_restore_that_was_killed(own_small_server: Server) -> None:
    server, cookie = own_small_server, new_cookie(own_small_server)
    with open_plain_tab(server, cookie) as tab:
        assert answer(tab, WALRUS) == TUSKS
        operate(server, "backup", "backup.zip")
        answer(tab, "Hello")
    killed = (
        "import os, signal, sys\nfrom chatbot import __main__\nfrom chatbot.bot import backup\n"
        "backup._overwrite_visitors = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "__main__.main(['restore', 'backup.zip'])"
    )
    subprocess.run([sys.executable, "-c", killed], cwd=server.output.parent, env=environment(**SETTINGS), check=False)
    wait_for(lambda: prompts(server, cookie) == [WALRUS], server)
    wait_for(lambda: not (server.output.parent / "diego.db.restore").exists(), server)
    assert "Traceback" not in server.log
