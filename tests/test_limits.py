"""What one may ask of a real server with its default limits, and what happens when more is asked than it can answer."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from statistics import quantiles

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from chatbot.messages import BUSY, TOO_FAST
from chatbot.web.rates import MOST_REFUSALS
from chatbot.web.sockets import NO_SESSION
from chatbot.web.tab import POLICY_VIOLATION
from chatbot.web.wire import JSON
from tests.bystanders import bystander
from tests.processes import LIMITED, SECONDS, STAND_IN, Server, serving, wait_for
from tests.rooms import PATH, guest, raw_guest
from tests.scale import only_one_process
from tests.tabs import Fields, ask, new_cookie, open_plain_tab, open_tab, receive, say, send, until_reply

pytestmark = pytest.mark.server

PER_VISITOR = int(LIMITED["DIEGO_RATE_LIMIT"])
WAIT = TOO_FAST.format(1)
POLLING = f"{PATH}/?EIO=4&transport=polling"
SEPARATOR = "\x1e"

# Each reply takes 5 ms of the processor, and the database none of those that are to be counted.
COMPUTING = (
    "-c",
    "import time; from tests import stand_ins; "
    "stand_ins.StandIn.get_response = lambda self, prompt, *, conversation: compute() or prompt\n"
    "def compute():\n"
    "    end = time.thread_time() + 0.005\n"
    "    while time.thread_time() < end: pass\n" + STAND_IN[1],
)
CLIENTS = 300

MESSAGE = '{"type": "message", "text": "x"}'

MOST_SECONDS = 1.0
"""How long 99 of 100 replies may take at most that are given."""

SLOW_MACHINE = 20
"""Where the machine is busy, they may take so many times what they take when nobody else asks."""

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, *STAND_IN, port=0, **LIMITED) as server:
        yield server


def flood(tab: ClientConnection, messages: int, text: str) -> None:
    """Send so many and do not wait for replies."""
    with suppress(ConnectionClosed):
        for _ in range(messages):
            tab.send(text)


def until_closed(tab: ClientConnection) -> tuple[list[str | bytes], int]:
    """What comes until the connection is closed, and with which code."""
    frames: list[str | bytes] = []
    with pytest.raises(ConnectionClosed) as closed:
        frames.extend(iter(partial(tab.recv, SECONDS), None))
    assert closed.value.rcvd is not None
    return frames, closed.value.rcvd.code


def test_who_goes_on_although_told_to_wait_is_closed_and_kept_nothing_of(limited: Server) -> None:
    cookie = new_cookie(limited)
    with open_tab(limited, cookie) as tab:
        flood(tab, PER_VISITOR + 40, MESSAGE)
        received, code = until_closed(tab)
    frames = [json.loads(frame) for frame in received]
    errors = [frame for frame in frames if frame["type"] == "error"]
    replies = sum(frame["type"] == "reply" for frame in frames)
    assert replies >= PER_VISITOR
    assert (code, len(errors)) == (POLICY_VIOLATION, MOST_REFUSALS)
    assert all(error["text"] == WAIT and error["retry_after"] == 1 for error in errors)
    with open_tab(limited, cookie, "?last_seq=0") as again:
        assert len(receive(again)["turns"]) == replies


def test_who_waits_as_told_goes_on(limited: Server) -> None:
    with open_tab(limited, new_cookie(limited)) as tab:
        flood(tab, PER_VISITOR, MESSAGE)
        message_id = say(tab, "later")
        error = until_reply(tab, message_id)[-1]
        while error["type"] == "error":
            time.sleep(error["retry_after"])
            send(tab, type="message", text="later", id=message_id)
            error = until_reply(tab, message_id)[-1]
        assert (error["type"], error["seq"]) == ("reply", PER_VISITOR + 1)


def test_commands_and_what_cannot_be_read_count_too(limited: Server) -> None:
    with open_tab(limited, new_cookie(limited)) as tab:
        for _ in range(PER_VISITOR // 3):
            tab.send("{")
            send(tab, type="lessons")
            send(tab, type="history")
        answers = [receive(tab) for _ in range(PER_VISITOR)]
        assert not any("retry_after" in answer for answer in answers)
        tab.send("{")
        answer = receive(tab)
        assert (answer["text"], answer["id"]) == (WAIT, None)


def test_on_the_plain_wire_it_is_the_sentence(limited: Server) -> None:
    with open_plain_tab(limited, new_cookie(limited)) as tab:
        for _ in range(PER_VISITOR + 1):
            tab.send("x")
        assert [tab.recv(timeout=SECONDS) for _ in range(PER_VISITOR + 1)] == ["x"] * PER_VISITOR + [WAIT]


def test_a_visitor_has_one_limit_on_the_websocket_over_http_and_in_the_room(limited: Server) -> None:
    cookie = new_cookie(limited)
    with open_tab(limited, cookie) as tab:
        for _ in range(PER_VISITOR - 2):
            ask(tab, "x")

    async def talk() -> tuple[Fields, Fields]:
        async with guest(limited, "Ana", cookie) as ana:
            return await ana.say("one"), await ana.say({"text": "two", "id": "a2"})

    one, two = asyncio.run(talk())
    assert "number" in one or one["error"] == WAIT
    statuses = []
    for path in ("history", "lessons", "why", "export") * 5:
        response = limited.get(f"/conversation/{path}", Cookie=cookie)
        statuses.append(response.status_code)
        if response.status_code == 429:
            assert response.json() == {"error": WAIT}
            assert response.headers["retry-after"] == "1"
            assert "set-cookie" not in response.headers
    assert 429 in statuses
    assert "number" in two or two == {"error": WAIT, "retry_after": 1}


def test_what_is_too_much_in_the_room_is_told_to_whoever_said_it(limited: Server) -> None:
    async def talk() -> None:
        async with guest(limited, "Ana") as ana:
            answers = await asyncio.gather(*(ana.say({"text": str(n), "id": f"n{n}"}) for n in range(PER_VISITOR + 5)))
            refused = [answer for answer in answers if "error" in answer]
            assert refused
            assert all(answer == {"error": WAIT, "retry_after": 1} for answer in refused)
            assert (await ana.hears("refused"))["retry_after"] == 1

    asyncio.run(talk())


def test_who_goes_on_in_the_room_although_told_to_wait_is_closed_too(limited: Server) -> None:
    with raw_guest(limited, "Ana") as ana:
        with suppress(ConnectionClosed):
            for number in range(PER_VISITOR + 40):
                ana.send(f'42{number}["message","{number}"]')
        received, code = until_closed(ana)
    assert code == POLICY_VIOLATION
    assert sum(str(packet).startswith('42["refused"') for packet in received) == MOST_REFUSALS
    wait_for(lambda: limited.count() == 0)


def test_what_cannot_be_read_in_the_room_counts_too(limited: Server) -> None:
    with raw_guest(limited, "Ana") as ana:
        with suppress(ConnectionClosed):
            for number in range(PER_VISITOR + 40):
                ana.send(f'42{number}["message",{{"text":"x","id":""}}]')
        received, code = until_closed(ana)
    assert code == POLICY_VIOLATION
    assert any("retry_after" in str(packet) for packet in received)
    wait_for(lambda: limited.count() == 0)


def test_who_polls_and_goes_on_although_told_to_wait_has_no_session_any_more(limited: Server) -> None:
    heard = ""
    with httpx2.Client(base_url=f"http://{limited.address}", timeout=SECONDS) as client:
        sid = json.loads(client.get(POLLING).text[1:])["sid"]
        session = f"{POLLING}&sid={sid}"
        assert client.post(session, content="40").status_code == 200
        said = SEPARATOR.join(['42["message","x"]'] * 15 + ["40"])  # the last would begin it anew
        while client.post(session, content=said).status_code == 200:
            heard += client.get(session).text
        assert client.get(session).json() == {"error": NO_SESSION}
    assert heard.count('42["refused"') == MOST_REFUSALS
    wait_for(lambda: limited.count() == 0)
    assert "Traceback" not in limited.log


def test_many_connections_of_one_visitor_have_one_limit_and_a_bystander_notices_nothing(tmp_path: Path) -> None:
    # The bystander comes from the same address, and is quicker than a person.
    limits = {"DIEGO_RATE_LIMIT": "1000", "DIEGO_RATE_LIMIT_PER_ADDRESS": "0"}
    with serving(tmp_path, *STAND_IN, port=0, **limits) as server:
        cookie = new_cookie(server)
        with bystander(server), ExitStack() as stack:
            tabs = [stack.enter_context(open_plain_tab(server, cookie)) for _ in range(20)]
            for tab in tabs:
                flood(tab, 400, "x")
            assert {until_closed(tab)[1] for tab in tabs} == {POLICY_VIOLATION}


def test_many_visitors_of_one_address_have_one_limit(tmp_path: Path) -> None:
    limits = {**LIMITED, "DIEGO_RATE_LIMIT_PER_ADDRESS": str(2 * PER_VISITOR)}
    with serving(tmp_path, *STAND_IN, port=0, **limits) as server, ExitStack() as stack:
        tabs = [stack.enter_context(open_plain_tab(server, new_cookie(server))) for _ in range(4)]
        each = (2 * PER_VISITOR + MOST_REFUSALS) // 4  # so that nobody is told to wait so often as to be closed
        for tab in tabs:
            flood(tab, each, "x")
        answers = [tab.recv(timeout=SECONDS) for tab in tabs for _ in range(each)]
    assert answers.count("x") >= 2 * PER_VISITOR
    assert {*answers} == {"x", WAIT}


async def chat(url: str, end: float, served: list[float], refused: list[Fields]) -> None:
    """Say the next thing as soon as there is a reply, and wait as told."""
    async with connect(url, subprotocols=[Subprotocol(JSON)], open_timeout=SECONDS) as tab:
        while time.monotonic() < end:
            asked = time.monotonic()
            await tab.send(json.dumps({"type": "message", "text": "x"}))
            answer = await _answer(tab)
            if answer["type"] == "reply":
                served.append(time.monotonic() - asked)
            else:
                refused.append(answer)
                await asyncio.sleep(answer["retry_after"])


async def _answer(tab: AsyncConnection) -> Fields:
    async with asyncio.timeout(SECONDS):
        while (frame := json.loads(await tab.recv()))["type"] == "typing":
            pass
    fields: Fields = frame
    return fields


def seconds_until_reply(tab: ClientConnection) -> float:
    began = time.monotonic()
    tab.send("x")
    assert tab.recv(timeout=SECONDS) == "x"
    return time.monotonic() - began


def resident(server: Server) -> int:
    """How much memory the server has, in KiB."""
    (line,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    return int(line)


async def crowd(server: Server, seconds: float) -> tuple[list[float], list[Fields]]:
    """Have so many chat for that long as they would with a quick Diego."""
    served: list[float] = []
    refused: list[Fields] = []
    end = time.monotonic() + seconds
    await asyncio.gather(*(chat(server.url, end, served, refused) for _ in range(CLIENTS)))
    return served, refused


@only_one_process  # several would compute on as many cores as there are
@needs_proc
def test_an_engine_that_is_asked_more_than_it_can_answer_serves_some_at_once_and_lets_the_others_wait(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, *COMPUTING) as server:
        with open_plain_tab(server, new_cookie(server)) as tab:
            usual = quantiles([seconds_until_reply(tab) for _ in range(50)], n=100)[-1]
        asyncio.run(crowd(server, 3))
        before = resident(server)
        served, refused = asyncio.run(crowd(server, 6))
        assert resident(server) < before + 10_000
        assert quantiles(served, n=100)[-1] <= max(MOST_SECONDS, SLOW_MACHINE * usual)
        assert len(served) > CLIENTS / 2
        assert refused
        for answer in refused:
            assert answer["text"].startswith(BUSY.partition("{}")[0])
            assert 1 <= answer["retry_after"] <= 3
        with open_plain_tab(server, new_cookie(server)) as tab:
            assert seconds_until_reply(tab) <= max(MOST_SECONDS, SLOW_MACHINE * usual)
        assert "Traceback" not in server.log
