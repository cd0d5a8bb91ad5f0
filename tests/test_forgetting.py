"""What is left of visitors of a real server when Diego has forgotten them: nothing, in no file."""

import json
import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import ClientConnection

from chatbot.messages import APOLOGY
from chatbot.web.commands import FORGOTTEN, NO_LESSONS
from tests.processes import Server, wait_for
from tests.small import answer, operate, traces, visitor_of
from tests.tabs import Fields, history, new_cookie, open_plain_tab, open_tab, receive, send

pytestmark = pytest.mark.server

CROWD = 8


def words(chance: random.Random, count: int) -> list[str]:
    """Words that nobody else says, written like names."""
    return ["".join(chance.choices("bcdfghjklmnpqrstvwxz", k=12)).capitalize() for _ in range(count)]


def talk_of(secrets: list[str]) -> list[str]:
    """Tells, asks, teaches and corrects with these words, and takes some back."""
    texts = [f"My name is {secrets[0]}.", "What's my name?", "What did I just say?", "Hello"]
    for number, secret in enumerate(secrets):
        texts += [
            f"I like {secret} {'very ' * (7 * number)}much",
            f"/teach Who is {secret}? => It is {secret}!",
            f"Who is {secret}?",
            f'When I say "more {secret}", answer "no {secret}"',
            f'No, the right answer is "yes {secret}"',
            f"more {secret}",
        ]
    return [*texts, "/unteach 2", "/unteach 1", "/lessons", "/why", "/export", f"/{secrets[0]}"]


def say_all(tab: ClientConnection, texts: list[str], word: str) -> list[str]:
    """What comes back for texts that are sent at once, in JSON, with ids at random places of the index of ids."""
    ids = [f"{uuid.uuid4().hex[:8]}-{word}" for _ in texts]
    for message_id, text in zip(ids, texts, strict=True):
        send(tab, type="message", text=text, id=message_id)
    events: list[Fields] = []
    while not (events and events[-1]["id"] == ids[-1]):
        frame = receive(tab)
        events += [frame] if frame["type"] != "typing" else []
    return [event.get("text", "") for event in events]


class Said(NamedTuple):
    """What a visitor has said, and the replies."""

    cookie: str
    texts: list[str]
    replies: list[str]


def chat(server: Server, word: str, until: threading.Event) -> Said:
    """A visitor chats about a word, at least once."""
    said = Said(new_cookie(server), [], [])
    with open_tab(server, said.cookie) as tab:
        while not (said.texts and until.is_set()):
            texts = [f"{word} {len(said.texts)}", f"/teach {word} => {word} {len(said.texts)}", f"{word}?", "Hello"]
            said.texts.extend(text for text in texts if not text.startswith("/"))
            said.replies.extend(say_all(tab, texts, word))
    return said


def all_prompts(server: Server, cookie: str) -> list[str]:
    with open_plain_tab(server, cookie) as tab:
        return [turn["prompt"] for turn in json.loads(answer(tab, "/export"))["turns"]]


@pytest.mark.parametrize("others_stop", ["before she comes", "before she is forgotten", "after she is forgotten"])
def test_who_is_forgotten_leaves_no_trace_and_others_lose_nothing(own_small_server: Server, others_stop: str) -> None:
    chance, cookie, over = random.Random(others_stop), new_cookie(own_small_server), threading.Event()
    secrets, theirs = words(chance, 12), words(chance, CROWD)
    with ThreadPoolExecutor(CROWD) as pool:
        crowd = [pool.submit(chat, own_small_server, word, over) for word in theirs]
        try:
            if others_stop == "before she comes":
                over.set()
                wait(crowd)
            with open_tab(own_small_server, cookie) as tab:
                secrets.append(visitor_of(tab))
                say_all(tab, talk_of(secrets), secrets[0])
                assert traces(own_small_server, secrets) == {*secrets}
                if others_stop == "before she is forgotten":
                    over.set()
                    wait(crowd)
                assert say_all(tab, ["/forget"], secrets[0]) == [FORGOTTEN]
                assert traces(own_small_server, secrets) == set()
        finally:
            over.set()
    assert_somebody_new(own_small_server, cookie, secrets[-1])
    for one in crowd:
        said = one.result()
        assert APOLOGY not in said.replies
        assert all_prompts(own_small_server, said.cookie) == said.texts
    assert traces(own_small_server, theirs) == {*theirs}
    assert own_small_server.stop() == 0
    assert traces(own_small_server, secrets) == set()
    assert traces(own_small_server, theirs) == {*theirs}


def assert_somebody_new(server: Server, cookie: str, before: str) -> None:
    assert history(server, cookie) == []
    with open_plain_tab(server, cookie) as tab:
        assert visitor_of(tab) != before
        assert answer(tab, "/lessons") == NO_LESSONS
        assert "haven't told me your name" in answer(tab, "What's my name?")


def test_whom_an_operator_has_diego_forget_leaves_no_trace_although_he_runs(own_small_server: Server) -> None:
    chance, cookie = random.Random(5), new_cookie(own_small_server)
    secrets, theirs = words(chance, 12), words(chance, 1)
    already = threading.Event()
    already.set()
    others = chat(own_small_server, theirs[0], already)
    with open_tab(own_small_server, cookie) as tab:
        secrets.append(visitor_of(tab))
        say_all(tab, talk_of(secrets), secrets[0])
    assert traces(own_small_server, secrets) == {*secrets}
    assert "Diego forgot all that there was" in operate(own_small_server, "forget", "--visitor", secrets[-1])
    assert traces(own_small_server, secrets) == set()
    assert_somebody_new(own_small_server, cookie, secrets[-1])
    assert all_prompts(own_small_server, others.cookie) == others.texts


def test_a_tab_of_whom_an_operator_has_diego_forget_is_closed_and_what_is_said_until_then_is_erased(
    own_small_server: Server,
) -> None:
    secrets, cookie = words(random.Random(6), 3), new_cookie(own_small_server)
    with open_tab(own_small_server, cookie) as tab:
        secrets.append(visitor_of(tab))
        say_all(tab, talk_of(secrets), secrets[0])
        operate(own_small_server, "forget", "--visitor", secrets[-1])
        with pytest.raises(ConnectionClosedOK, match="Diego has forgotten you"):
            wait_for(lambda: not say_all(tab, [f"I like {secrets[1]}"], secrets[2]), own_small_server)
    wait_for(lambda: not traces(own_small_server, secrets), own_small_server)
    assert_somebody_new(own_small_server, cookie, secrets[-1])
    assert "Traceback" not in own_small_server.log
