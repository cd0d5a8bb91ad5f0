"""Visitors of a real server with the real Diego: who they are, and that each has a Diego of their own."""

import json
import random
import socket
import string
import struct
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from websockets.sync.client import ClientConnection

from tests.processes import SECONDS, Server
from tests.scale import IS_SCALED
from tests.small import UNKNOWN, answer, answers, serving_small, visitor_of
from tests.tabs import Fields, history, new_cookie, open_plain_tab, open_tab, receive, say, send

pytestmark = pytest.mark.server

DIALOGUES = 1000
ANNS = "a secret of Ann"

KNOWN = (
    *("Tell me a joke", "Who is there?", "Hello", "What is a walrus?", "Where is the station?"),
    *("When does the museum open?", "Do you like chocolate?"),
)
MISSPELT = ("What is a walrsu?", "Where is the staton?", "When does the musuem open?", "Do you like chocolaet?")
TAUGHT_BY_BOB = ("What is my favourite colour?", "Where do I live?")
TAUGHT_BY_ANN = ("What is a wibbler?", "What is a wibblre?", "Who feeds the parrot?", "Who feeds the parot?")
PROMPTS = (*KNOWN, *MISSPELT, *TAUGHT_BY_BOB, *TAUGHT_BY_ANN)
ABOUT_ME = ("What's my name?", "What did I just say?", "What did you just say?", "/why", "/lessons")
LESSONS_OF_BOB = [
    f'When I say "{TAUGHT_BY_BOB[0]}", answer "Blue."',
    f"/teach {TAUGHT_BY_BOB[1]} => By the sea.",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving_small(tmp_path_factory.mktemp("small")) as server:
        yield server


def something_of_ann(chance: random.Random) -> str:
    """What she says, tells, teaches or takes back."""
    prompt, secret = chance.choice(PROMPTS), f"{ANNS}, {chance.randrange(10**9)}"
    return chance.choice(
        [
            prompt,
            chance.choice(ABOUT_ME),
            f"My name is {chance.choice(['Ann', 'Anna', 'Annabel'])}.",
            "Forget my name",
            f'When I say "{prompt}", answer "{secret}"',
            f"/teach {prompt} => {secret}",
            f'No, the right answer is "{secret}"',
            f"/unteach {chance.randint(1, 9)}",
        ]
    )


def without_time(reply: str) -> str:
    """A receipt's last line differs each time."""
    return reply.partition("\nin ")[0]


def test_nothing_that_a_visitor_says_or_teaches_changes_a_reply_to_another(server: Server) -> None:
    chance = random.Random(1)
    asked = chance.choices([*PROMPTS, *ABOUT_ME], k=DIALOGUES)
    with open_plain_tab(server, new_cookie(server)) as alone:
        answers(alone, LESSONS_OF_BOB)
        expected = [without_time(reply) for reply in answers(alone, asked)]
    assert len({*expected}) > len(PROMPTS)
    cookie, replies, to_ann = new_cookie(server), [], []
    with open_plain_tab(server, new_cookie(server)) as ann, open_plain_tab(server, cookie) as bob:
        answers(bob, LESSONS_OF_BOB)
        for prompt in asked:
            to_ann += answers(ann, [something_of_ann(chance) for _ in range(chance.randint(1, 3))])
            replies.append(without_time(answer(bob, prompt)))
        exported = answer(bob, "/export")
    assert replies == expected
    assert ANNS not in exported
    assert json.loads(exported)["name"] is None
    assert sum(reply.startswith(ANNS) for reply in to_ann) > DIALOGUES / 10
    assert UNKNOWN in expected


def somebody_new(server: Server, cookie: str) -> list[str]:
    """The numbers of the new visitors that this cookie makes, over both ways to come."""
    response = server.get("/conversation/history", Cookie=cookie)
    assert (response.status_code, response.json()) == (200, {"turns": [], "before": None})
    with open_plain_tab(server, cookie) as tab:
        known = json.loads(answer(tab, "/export"))
        assert (known["visitor"], known["turns"], known["name"]) == (visitor_of(tab), [], None)
    return [visitor_of(response), visitor_of(tab)]


def test_a_cookie_with_one_byte_changed_is_nobodys(server: Server) -> None:
    chance = random.Random(2)
    cookie = new_cookie(server)
    with open_plain_tab(server, cookie) as tab:
        answer(tab, "My name is Ann.")
        known = visitor_of(tab)
    name, _, value = cookie.partition("=")
    visible = string.digits + string.ascii_letters + string.punctuation
    changes = [(place, chance.choice(visible.replace(value[place], ""))) for place in range(len(value))]
    # The last character of base64 has bits that do not count.
    changes += [(len(value) - 1, other) for other in string.ascii_letters + string.digits if other != value[-1]]
    forged = [f"{name}={value[:place]}{other}{value[place + 1 :]}" for place, other in changes]
    came = [visitor for cookie in forged for visitor in somebody_new(server, cookie)]
    assert len({known, *came}) == 1 + len(came)
    assert [turn["prompt"] for turn in history(server, cookie)] == ["My name is Ann."]


def test_a_cookie_of_parts_of_two_visitors_is_nobodys(server: Server) -> None:
    cookies = [new_cookie(server) for _ in range(2)]
    for cookie in cookies:
        with open_plain_tab(server, cookie) as tab:
            answer(tab, "Hello")
    mine, yours = (cookie.partition("=")[2].split(".") for cookie in cookies)
    came = [
        visitor
        for number, signature in ((mine[0], yours[2]), (yours[0], mine[2]))
        for signed_at in {mine[1], yours[1]}
        for visitor in somebody_new(server, f"diego={number}.{signed_at}.{signature}")
    ]
    assert len({mine[0], yours[0], *came}) == 2 + len(came)


def all_turns(server: Server, cookie: str, limit: int = 30) -> list[Fields]:
    """The visitor's history, page by page."""
    page = server.get(f"/conversation/history?limit={limit}", Cookie=cookie).json()
    turns: list[Fields] = page["turns"]
    while page["before"]:
        query = f"?limit={limit}&before={page['before']}"
        page = server.get(f"/conversation/history{query}", Cookie=cookie).json()
        turns = page["turns"] + turns
    return turns


def test_four_tabs_that_send_at_once_have_one_conversation(server: Server) -> None:
    cookie, each = new_cookie(server), 50
    sums = [[(tab + 1, number) for number in range(each)] for tab in range(4)]
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        plain = [stack.enter_context(open_plain_tab(server, cookie)) for _ in range(2)]
        rich = [stack.enter_context(open_tab(server, cookie)) for _ in range(2)]

        def chat_plainly(tab: ClientConnection, mine: list[tuple[int, int]]) -> list[str]:
            return answers(tab, [question(*terms) for terms in mine])

        def chat(tab: ClientConnection, mine: list[tuple[int, int]]) -> list[Fields]:
            for terms in mine:
                say(tab, question(*terms))
            return [receive(tab) for _ in range(2 * 4 * each)]

        to_plain = [pool.submit(chat_plainly, *one) for one in zip(plain, sums[:2], strict=True)]
        to_rich = [pool.submit(chat, *one) for one in zip(rich, sums[2:], strict=True)]
        texts = [told.result() for told in to_plain]
        first, second = [told.result() for told in to_rich]
    assert texts == [[f"{a} + {b} = {a + b}" for a, b in mine] for mine in sums[:2]]
    turns = all_turns(server, cookie)
    for told in (first, second):
        assert [{"type": "reply", **turn} for turn in turns] == [frame for frame in told if frame["type"] == "reply"]
    if not IS_SCALED:  # else who types at another process may be shown somewhat later
        assert first == second
        assert [frame["type"] for frame in first] == ["typing", "reply"] * (4 * each)
        assert [frame["prompt"] for frame in first[::2]] == [turn["prompt"] for turn in turns]
    assert [turn["seq"] for turn in turns] == [*range(1, 4 * each + 1)]
    replies = {question(a, b): f"{a} + {b} = {a + b}" for mine in sums for a, b in mine}
    assert {turn["prompt"]: turn["text"] for turn in turns} == replies
    for mine in sums:
        said = [question(*terms) for terms in mine]
        assert [turn["prompt"] for turn in turns if turn["prompt"] in said] == said


def question(a: int, b: int) -> str:
    return f"What is {a} plus {b}?"


def cut_off(tab: ClientConnection) -> None:
    """Abort the TCP connection, without a close frame; what is under way is lost."""
    tab.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    tab.socket.shutdown(socket.SHUT_RD)
    tab.recv_events_thread.join(SECONDS)


class Client:
    """A client that notes every turn that it is shown, and sends again what had no reply when it was cut off."""

    def __init__(self, server: Server, cookie: str) -> None:
        self._server, self._cookie = server, cookie
        self._unanswered: dict[str, str] = {}
        self.turns: list[Fields] = []

    def connected(self, new: list[str], frames: int) -> None:
        """Come back, send what has no reply and then new messages, read so many frames, and be cut off."""
        again = {*self._unanswered}
        self._unanswered |= {str(uuid.uuid4()): text for text in new}
        with open_tab(self._server, self._cookie, f"?last_seq={len(self.turns)}") as tab:
            for message_id, text in self._unanswered.items():
                send(tab, type="message", text=text, id=message_id)
            while frames and self._unanswered:
                frames -= 1
                self._take(receive(tab), again)
            cut_off(tab)

    def _take(self, frame: Fields, again: set[str]) -> None:
        if frame["type"] == "reply" and frame["id"] in again and frame["seq"] <= len(self.turns):
            again.remove(frame["id"])  # it was answered after all: the same reply comes once more
            assert frame == {"type": "reply", **self.turns[frame["seq"] - 1]}
            return
        fresh = frame["turns"] if frame["type"] == "history" else [frame] if frame["type"] == "reply" else []
        assert fresh or frame["type"] == "typing"
        for turn in fresh:
            turn.pop("type", None)
            self.turns.append(turn)
            self._unanswered.pop(turn["id"], None)


@pytest.mark.parametrize("seed", range(3))
def test_who_is_cut_off_gets_what_was_missed_and_what_is_sent_again_is_one_turn(server: Server, seed: int) -> None:
    chance, cookie = random.Random(seed), new_cookie(server)
    client = Client(server, cookie)
    said: list[str] = []
    elsewhere: list[str] = []
    with open_plain_tab(server, cookie) as other:
        for cut in range(20):
            new = [question(cut, number) for number in range(chance.randrange(12))]
            client.connected(new, frames=chance.randrange(20))
            meanwhile = [question(cut, 100 + number) for number in range(chance.randrange(4))]
            answers(other, meanwhile)
            said, elsewhere = said + new, elsewhere + meanwhile
    client.connected(["Hello"], frames=10**6)
    turns = all_turns(server, cookie)
    assert client.turns == turns
    assert [turn["seq"] for turn in turns] == [*range(1, len(turns) + 1)]
    assert [turn["prompt"] for turn in turns if turn["id"]] == [*said, "Hello"]
    assert [turn["prompt"] for turn in turns if not turn["id"]] == elsewhere
