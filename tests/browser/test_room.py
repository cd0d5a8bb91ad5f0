"""The page of the room: everybody sees the same, whatever their client, their name and what they say."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio
from playwright.sync_api import Locator, Page, expect

from chatbot.messages import BLANK
from chatbot.web.texts import texts
from tests.browser.chat import (
    LOST,
    each_end,
    field,
    log,
    order_on_screen,
    recorded_states,
    state,
    type_and_send,
)
from tests.browsers import Visitors, needs_package, violations
from tests.nginx import ROOT
from tests.processes import SECONDS, STAND_IN, Server, needs, serving, wait_for
from tests.scale import only_one_process

pytestmark = [pytest.mark.server, needs_package("socket.io-client")]

CLIENT = ROOT / "tests/browser/room_client.js"
HOSTILE_NAMES = ("<img src=x onerror=executed=1>", "\u202eabc", "W" * 32, "</li><script>executed=1</script>")
HOSTILE_TEXTS = ("<img src=x onerror=window.executed=1>", "\u202eabc", "x" * 900, "javascript:window.executed=1")

WITHOUT_LIBRARY = (
    "-c",
    f"from pathlib import Path; from chatbot.web import pages; pages.SOCKET_IO = Path('none'); {STAND_IN[1]}",
)


def shown(name: str) -> str:
    """A name as it is shown: without what turns the direction of writing."""
    return name.replace("\u202e", "")


def join(page: Page, name: str) -> Page:
    """Come into the room."""
    page.get_by_role("textbox", name="Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    return page


def enter(visit: Visitors, server: Server, name: str, **options: Any) -> Page:
    """The page of somebody new who is in the room."""
    page = join(visit(server, "/room", **options), name)
    expect(state(page)).to_have_text("Connected")
    return page


def words(page: Page) -> Locator:
    """What was said, by whomever."""
    return log(page).locator(".room-message .words")


def people(page: Page) -> Locator:
    """Who is here."""
    return page.get_by_role("complementary").get_by_role("listitem")


def quarrel(name: str) -> list[str]:
    """What a person says."""
    return [f"{name} {number}" for number in range(5)]


@contextmanager
def node_client(server: Server, name: str, output: Path) -> Iterator[None]:
    """npm's socket.io-client under Node: it says its part and writes what everybody says into a file."""
    with output.open("wb") as out:
        client = subprocess.Popen(["node", CLIENT, f"http://{server.address}", name, *quarrel(name)], stdout=out)
    try:
        yield
    finally:
        client.kill()
        client.wait()


async def python_client(server: Server, name: str, most: int) -> list[str]:
    """python-socketio's client: it says its part; what everybody says and has said, up to so many."""
    texts: list[str] = []
    complete = asyncio.Event()

    def take(*messages: dict[str, str]) -> None:
        texts.extend(message["text"] for message in messages)
        if len(texts) == most:
            complete.set()

    client = socketio.AsyncClient()
    client.on("history", lambda history: take(*history["messages"]))
    client.on("response", take)
    await client.connect(f"http://{server.address}", socketio_path="/sio/socket.io", auth={"name": name})
    for text in quarrel(name):
        await client.emit("message", text)
    async with asyncio.timeout(SECONDS):
        await complete.wait()
    await client.disconnect()
    return texts


@needs("node")
def test_everybody_sees_the_same_in_the_same_order(visit: Visitors, own_server: Server, tmp_path: Path) -> None:
    ana, bob = enter(visit, own_server, "Ana"), enter(visit, own_server, "Bob")
    printed = tmp_path / "printed.jsonl"
    with ThreadPoolExecutor() as pool, node_client(own_server, "Nora", printed):
        expect(people(ana)).to_have_text(["Diego", "Ana", "Bob", "Nora"])
        seen_by_pia = pool.submit(asyncio.run, python_client(own_server, "Pia", 20))
        for one, other in zip(quarrel("Ana"), quarrel("Bob"), strict=True):
            type_and_send(ana, one)
            type_and_send(bob, other)
        expect(words(ana)).to_have_count(20)
        wait_for(lambda: len(printed.read_text().splitlines()) == 20)
        texts = words(ana).all_inner_texts()
        assert sorted(texts) == sorted(text for name in ("Ana", "Bob", "Nora", "Pia") for text in quarrel(name))
        expect(words(bob)).to_have_text(texts)
        assert [json.loads(line)["text"] for line in printed.read_text().splitlines()] == texts
        assert seen_by_pia.result(SECONDS) == texts
    for name in ("Ana", "Bob", "Nora", "Pia"):
        assert [text for text in texts if text.startswith(name)] == quarrel(name)
    expect(words(enter(visit, own_server, "Late"))).to_have_text(texts)


def test_diego_answers_who_mentions_him(visit: Visitors, own_server: Server) -> None:
    ana, bob = enter(visit, own_server, "Ana"), enter(visit, own_server, "Bob")
    type_and_send(ana, "Good morning, Bob", "@diego, good evening")
    for page in (ana, bob):
        expect(words(page)).to_have_text(["Good morning, Bob", "@diego, good evening", "good evening"])
        answer = log(page).locator(".room-message").last
        expect(answer.locator(".who")).to_contain_text("Diego")
        expect(answer.locator("q")).to_have_text("Ana: @diego, good evening")


def test_who_comes_leaves_and_types_is_shown(visit: Visitors, own_server: Server) -> None:
    ana = enter(visit, own_server, "Ana")
    expect(people(ana)).to_have_text(["Diego", "Ana"])
    bob = enter(visit, own_server, "Bob")
    expect(people(ana)).to_have_text(["Diego", "Ana", "Bob"])
    expect(log(ana)).to_contain_text("Bob\u2069 joined")
    bob.keyboard.type("Hello")
    expect(ana.locator(".typing")).to_contain_text("Bob\u2069 is typing …")
    bob.keyboard.press("Enter")
    expect(words(ana)).to_have_text(["Hello"])
    expect(ana.locator(".typing")).to_be_empty()
    bob.get_by_role("button", name="Leave").click()
    expect(people(ana)).to_have_text(["Diego", "Ana"])
    expect(log(ana)).to_contain_text("Bob\u2069 left")
    expect(bob.get_by_role("button", name="Join")).to_be_visible()


def test_a_name_that_is_not_to_be_had_is_refused_at_the_door(visit: Visitors, own_server: Server) -> None:
    enter(visit, own_server, "Ana")
    page = visit(own_server, "/room")
    for name, sentence in (
        ("ANA", "The name ANA is taken at the moment."),
        ("Diego", "The name Diego is taken"),
        ("Guest 7", "The name Guest 7 is not to be had"),
        ("\u200b", "A name has 1 to 32 characters that can be seen."),
    ):
        join(page, name)
        expect(page.get_by_role("status").filter(has_text=sentence)).to_be_visible()
        expect(field(page)).to_be_hidden()
    join(page, "Ann")
    expect(state(page)).to_have_text("Connected")


def test_who_loads_the_page_again_is_in_again_and_there_once(visit: Visitors, own_server: Server) -> None:
    page = enter(visit, own_server, "Ana")
    type_and_send(page, "one")
    expect(words(page)).to_have_text(["one"])
    page.reload()
    expect(words(page)).to_have_text(["one"])
    expect(people(page)).to_have_text(["Diego", "Ana"])
    type_and_send(page, "two")
    expect(words(page)).to_have_text(["one", "two"])
    page.get_by_role("button", name="Leave").click()
    page.reload()
    expect(page.get_by_role("textbox", name="Your name")).to_have_value("Ana")
    expect(page.get_by_role("button", name="Join")).to_be_visible()


@only_one_process  # which is stopped in the middle
@each_end
def test_a_server_that_goes_and_comes_again_loses_nothing(
    visit: Visitors, tmp_path: Path, end: signal.Signals, told: str
) -> None:
    visit.expect(LOST)
    with serving(tmp_path, *STAND_IN) as server:
        ana, bob = enter(visit, server, "Ana"), enter(visit, server, "Bob")
        type_and_send(ana, "before")
        expect(words(bob)).to_have_text(["before"])
        states = recorded_states(ana)
        server.send(signal.SIGSTOP)
        type_and_send(ana, "on the way")
        expect(words(ana)).to_have_count(2)
        for sig in (end, signal.SIGCONT):
            server.process.send_signal(sig)
        wait_for(states)
        assert states()[0] == told
        type_and_send(ana, "while he is away", "and again")
        expect(words(ana)).to_have_count(4)
        server.process.wait()
    with serving(tmp_path, *STAND_IN, port=server.port):
        for page in (ana, bob):
            expect(words(page)).to_have_text(["before", "on the way", "while he is away", "and again"])
            expect(state(page)).to_have_text("Connected")
            expect(log(page).locator(".waiting")).to_have_count(0)


def test_what_is_too_much_at_once_is_said_by_itself_in_order_and_once(visit: Visitors, tmp_path: Path) -> None:
    visit.expect(LOST)
    limit = {"DIEGO_RATE_LIMIT": "20"}
    with serving(tmp_path, *STAND_IN, port=0, **limit) as server:
        ana, bob = enter(visit, server, "Ana"), enter(visit, server, "Bob")
        server.stop()
        expect(state(ana)).not_to_have_text("Connected")
        said = [f"Number {number}" for number in range(24)]
        type_and_send(ana, *said)
    with serving(tmp_path, *STAND_IN, port=server.port, **limit):
        expect(log(ana).locator(".waiting").first).to_contain_text(texts("en")["later"], timeout=60_000)
        expect(log(ana).locator(".waiting")).to_have_count(0, timeout=90_000)
        for page in (ana, bob):
            expect(words(page)).to_have_text(said)
            expect(log(page).locator(".refused")).to_have_count(0)
            page.close()


def test_what_can_never_be_said_is_refused_and_does_not_hold_up_the_rest(visit: Visitors, own_server: Server) -> None:
    page = enter(visit, own_server, "Ana")
    type_and_send(page, "\u200b", "after it")
    refused = log(page).locator(".refused")
    expect(refused).to_contain_text(BLANK)
    expect(log(page).locator(".turn:not(.refused) .words")).to_have_text(["after it"])
    refused.get_by_role("button", name="Write it again").click()
    expect(field(page)).to_have_value("\u200b")


def test_names_and_messages_are_text(visit: Visitors, own_server: Server) -> None:
    ana = enter(visit, own_server, "Ana", viewport={"width": 320, "height": 600})
    for name in HOSTILE_NAMES:
        page = enter(visit, own_server, name)
        page.keyboard.type("x")
        expect(ana.locator(".typing")).to_contain_text(shown(name))
        type_and_send(page, *HOSTILE_TEXTS)
        expect(words(page).last).to_have_text(HOSTILE_TEXTS[-1])
        assert page.evaluate("window.executed") is None
    expect(words(ana)).to_have_text([*HOSTILE_TEXTS] * len(HOSTILE_NAMES))
    expect(people(ana)).to_have_count(2 + len(HOSTILE_NAMES))
    assert {*map(shown, HOSTILE_NAMES)} <= {*people(ana).all_text_contents()}
    assert {*map(shown, HOSTILE_NAMES)} <= {*log(ana).locator(".who").all_text_contents()}
    assert not ana.evaluate("[...document.querySelectorAll('main *')].some((e) => e.matches('img[onerror], script'))")
    expect(log(ana).get_by_role("link")).to_have_count(0)
    assert not ana.evaluate("document.scrollingElement.scrollWidth > innerWidth")
    assert ana.evaluate("window.executed") is None


def test_a_name_turns_the_direction_of_nothing_beside_it(visit: Visitors, own_server: Server) -> None:
    ana = enter(visit, own_server, "Ana")
    page = enter(visit, own_server, "\u202eabc")
    page.keyboard.type("x")
    expect(ana.locator(".typing")).to_contain_text("is typing")
    assert order_on_screen(ana.locator(".typing"), "t", "g")
    assert order_on_screen(log(ana).locator(".presence"), "j", "d")


@needs_package("axe-core")
def test_axe_finds_nothing(visit: Visitors, own_server: Server) -> None:
    visit.expect(LOST)
    page = visit(own_server, "/room", reduced_motion="reduce")
    found = {"at the door": violations(page)}
    join(page, "Diego")
    expect(page.get_by_role("status").filter(has_text="is taken")).to_be_visible()
    found["not let in"] = violations(page)
    join(page, "Ana")
    expect(state(page)).to_have_text("Connected")
    found["an empty room"] = violations(page)
    bob = enter(visit, own_server, "Bob")
    type_and_send(page, "Hello", "Hello, @diego")
    expect(words(page)).to_have_count(3)
    bob.keyboard.type("x")
    expect(page.locator(".typing")).not_to_be_empty()
    found["a conversation"] = violations(page)
    type_and_send(page, "\u200b")
    expect(log(page).locator(".refused").first).to_be_visible()
    found["refused"] = violations(page)
    page.context.set_offline(True)
    own_server.stop()
    expect(state(page)).not_to_have_text("Connected")
    type_and_send(page, "y")
    found["no connection"] = violations(page)
    assert {situation: against for situation, against in found.items() if against} == {}


def test_without_the_library_the_page_says_how_to_get_it(visit: Visitors, tmp_path: Path) -> None:
    with serving(tmp_path, *WITHOUT_LIBRARY) as server:
        page = visit(server, "/room")
        expect(page.get_by_text("needs a package of npm’s that is not installed here")).to_be_visible()
        expect(page.get_by_text("npm ci --omit=dev")).to_be_visible()
        expect(page.get_by_role("button", name="Join")).to_have_count(0)
        page.close()
