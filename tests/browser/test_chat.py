"""A conversation on the page, and that nothing of it is lost, doubled or out of order."""

import json
import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from chatbot.messages import BLANK
from chatbot.web.texts import texts
from tests.browser.chat import (
    LOST,
    cookie,
    dialog,
    each_end,
    field,
    log,
    numbers,
    open_menu,
    recorded_states,
    say_elsewhere,
    shows,
    state,
    type_and_send,
)
from tests.browsers import Visitors
from tests.processes import STAND_IN, Server, serving, wait_for
from tests.small import UNKNOWN

pytestmark = pytest.mark.server

QUESTION, ANSWER, LESSON = "Where is the station?", "At the end of the road.", "Behind the museum."
FORGOTTEN = "Diego has forgotten you."


def open_another_tab(page: Page) -> Page:
    """One of the same visitor."""
    other = page.context.new_page()
    other.goto("/")
    return other


def test_chatting(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server)
    expect(state(page)).to_have_text("Connected")
    expect(page.get_by_role("heading", name="Hello, I’m Diego")).to_be_visible()
    field(page).fill("Hello")
    page.get_by_role("button", name="Send").click()
    shows(page, "Hello", "Hello to you.")
    expect(field(page)).to_have_value("")
    expect(field(page)).to_be_focused()
    expect(page.get_by_role("heading", name="Hello, I’m Diego")).to_be_hidden()
    type_and_send(page, QUESTION, "What is 6 times 7?")
    shows(page, "Hello", "Hello to you.", QUESTION, ANSWER, "What is 6 times 7?", "6 × 7 = 42")
    page.reload()
    shows(page, "Hello", "Hello to you.", QUESTION, ANSWER, "What is 6 times 7?", "6 × 7 = 42")
    assert numbers(page) == [1, 2, 3]


def test_each_question_to_try_has_an_answer(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server)
    expect(page.get_by_role("heading", name="Hello, I’m Diego")).to_be_visible()
    questions = page.locator(".empty").get_by_role("button").all_inner_texts()
    assert len(questions) == 3
    for question in questions:
        page = visit(small_server)
        page.get_by_role("button", name=question).click()
        expect(page.locator(".said")).to_have_text(question)
        expect(page.locator(".turn[data-seq] .reply")).not_to_have_text(UNKNOWN)


def test_how_many_are_chatting_is_shown(visit: Visitors, own_server: Server) -> None:
    page = visit(own_server)
    count = page.locator(".count")
    expect(count).to_have_text("1 person is chatting")
    with own_server.connect(), own_server.connect():
        expect(count).to_have_text("3 people are chatting")
    expect(count).to_have_text("1 person is chatting")


def test_older_turns_come_when_the_reader_scrolls_up_and_nothing_moves(visit: Visitors, server: Server) -> None:
    page = visit(server)
    said = [f"Number {number}" for number in range(1, 81)]
    say_elsewhere(server, page, *said)
    page.reload()
    first = page.locator(".turn").first
    expect(page.get_by_text("Number 80").first).to_be_in_viewport()
    loaded = len(numbers(page))
    assert loaded < len(said)
    seen = page.locator(f".turn[data-seq='{first.get_attribute('data-seq')}'] .said")
    before = seen.evaluate(
        """(said) => {
            said.closest("[role=log]").scrollTop = 100;
            return said.getBoundingClientRect().top;
        }"""
    )
    wait_for(lambda: len(numbers(page)) > loaded)
    assert seen.evaluate("said => said.getBoundingClientRect().top") == pytest.approx(
        before, abs=1
    )  # scrollTop is rounded
    while len(numbers(page)) < len(said):
        log(page).evaluate("log => (log.scrollTop = 0)")
    shows(page, *(text for one in said for text in (one, one)))
    assert numbers(page) == [*range(1, 81)]


def test_two_tabs_show_the_same_in_the_same_order(visit: Visitors, server: Server) -> None:
    left = visit(server)
    expect(state(left)).to_have_text("Connected")
    right = open_another_tab(left)
    expect(state(right)).to_have_text("Connected")
    for number in range(5):
        type_and_send(left, f"left {number}")
        type_and_send(right, f"right {number}")
    for page in (left, right):
        expect(page.locator(".turn[data-seq]")).to_have_count(10)
    texts = log(left).locator(".said, .reply").all_inner_texts()
    shows(right, *texts)
    assert numbers(left) == numbers(right) == [*range(1, 11)]
    for side in ("left", "right"):
        assert [text for text in texts[::2] if side in text] == [f"{side} {number}" for number in range(5)]


@each_end
def test_a_server_that_goes_and_comes_again_loses_nothing(
    visit: Visitors, tmp_path: Path, end: signal.Signals, told: str
) -> None:
    visit.expect(LOST)
    with serving(tmp_path, *STAND_IN) as server:
        page = visit(server)
        type_and_send(page, "before")
        shows(page, "before", "before")
        states = recorded_states(page)
        type_and_send(page, "slow 1", "behind it")
        expect(page.get_by_role("img", name="Diego is typing")).to_be_visible()
        server.send(end)
        wait_for(states)
        assert states()[0] == told
        expect(page.get_by_role("img", name="Diego is typing")).to_be_hidden()
        type_and_send(page, "while he is away", "and again")
        expect(page.locator(".turn").last).to_contain_text("Not sent yet")
        server.process.wait()
    with serving(tmp_path, *STAND_IN, port=server.port):
        said = ["before", "slow 1", "behind it", "while he is away", "and again"]
        shows(page, *(text for one in said for text in (one, one)))
        expect(state(page)).to_have_text("Connected")
        assert numbers(page) == [1, 2, 3, 4, 5]
        page.reload()
        shows(page, *(text for one in said for text in (one, one)))


def test_what_is_not_sent_yet_outlives_a_reload(visit: Visitors, server: Server) -> None:
    page = visit(server)
    type_and_send(page, "slow 1", "behind it")
    expect(page.get_by_role("img", name="Diego is typing")).to_be_visible()
    page.reload()
    shows(page, "slow 1", "slow 1", "behind it", "behind it")
    assert numbers(page) == [1, 2]


def test_a_reply_that_is_lost_on_the_way_is_shown_once(visit: Visitors, server: Server) -> None:
    page = visit(server)
    lost: list[str | bytes] = []

    def lose_the_first(route: WebSocketRoute) -> None:
        connection = route.connect_to_server()

        def pass_on(frame: str | bytes) -> None:
            if json.loads(frame)["type"] != "reply" or lost:
                route.send(frame)
            else:
                lost.append(frame)
                route.close(code=1011)

        connection.on_message(pass_on)

    page.route_web_socket("**/conversation*", lose_the_first)
    page.reload()
    type_and_send(page, "one", "two")
    shows(page, "one", "one", "two", "two")
    assert len(lost) == 1
    assert numbers(page) == [1, 2]


def test_offline_and_online_again(visit: Visitors, server: Server) -> None:
    visit.expect(LOST)
    page = visit(server)
    page.clock.install()
    page.reload()
    type_and_send(page, "one")
    shows(page, "one", "one")
    page.clock.pause_at(time.time() + 3600)  # what comes again then does so without waiting
    page.context.set_offline(True)
    expect(state(page)).to_have_text("No connection – trying again …")
    type_and_send(page, "two", "three")
    expect(page.locator(".turn").last).to_contain_text("Not sent yet")
    page.context.set_offline(False)
    shows(page, "one", "one", "two", "two", "three", "three")


def test_what_is_too_much_at_once_is_sent_by_itself_in_order_and_once(visit: Visitors, tmp_path: Path) -> None:
    with serving(tmp_path, *STAND_IN, DIEGO_RATE_LIMIT="20") as server:
        page = visit(server)
        expect(state(page)).to_have_text("Connected")
        say_elsewhere(server, page, *["x"] * 25)
        said = [f"Number {number}" for number in range(5)]
        type_and_send(page, *said)
        expect(page.locator(".turn.waiting").first).to_contain_text(texts("en")["later"])
        expect(page.locator(".turn.waiting")).to_have_count(0, timeout=90_000)
        expect(page.locator(".said").filter(has_text="Number")).to_have_text(said)
        expect(page.locator(".reply").filter(has_text="Number")).to_have_text(said)
        page.close()


def test_a_history_and_a_count_that_were_refused_are_asked_for_again(visit: Visitors, tmp_path: Path) -> None:
    with serving(tmp_path, *STAND_IN, DIEGO_RATE_LIMIT="20") as server:
        page = visit(server)
        expect(state(page)).to_have_text("Connected")
        say_elsewhere(server, page, *["x"] * 25)
        page.reload()
        expect(page.locator(".turn[data-seq]").last).to_contain_text("x", timeout=90_000)
        expect(page.locator(".count")).to_have_text("1 person is chatting", timeout=90_000)
        page.close()


def test_what_can_never_be_answered_does_not_hold_up_the_rest(visit: Visitors, server: Server) -> None:
    page = visit(server)
    type_and_send(page, "\u200b", "after it")
    expect(page.locator(".noted .reply")).to_have_text(BLANK)
    expect(page.locator(".turn[data-seq] .reply")).to_have_text("after it")


def test_what_diego_should_have_said_is_what_he_says_until_it_is_taken_back(
    visit: Visitors, small_server: Server
) -> None:
    page = visit(small_server)
    type_and_send(page, QUESTION)
    shows(page, QUESTION, ANSWER)
    page.get_by_role("button", name="Why this answer?").click()
    why = dialog(page, "Why this answer?")
    expect(why).to_contain_text(QUESTION)
    expect(why).to_contain_text(ANSWER)
    expect(why).to_contain_text("confidence 1.00")
    why.get_by_role("textbox", name="What should Diego have said?").fill(LESSON)
    why.get_by_role("button", name="Teach Diego").click()
    expect(why.get_by_role("status")).to_contain_text("Diego has learned that")
    why.get_by_role("button", name="Close").click()
    type_and_send(page, QUESTION)
    shows(page, QUESTION, ANSWER, QUESTION, LESSON)

    open_menu(page, "What you taught Diego")
    lessons = dialog(page, "What you taught Diego")
    expect(lessons.get_by_role("listitem")).to_contain_text(QUESTION + LESSON)
    lessons.get_by_role("button", name=f"Take back: {QUESTION}").click()
    expect(lessons).to_contain_text("You have taught Diego nothing yet.")
    lessons.get_by_role("button", name="Close").click()
    type_and_send(page, QUESTION)
    shows(page, QUESTION, ANSWER, QUESTION, LESSON, QUESTION, ANSWER)


def test_what_the_server_refuses_to_learn_is_told(visit: Visitors, small_server: Server) -> None:
    visit.expect("status of 400")
    page = visit(small_server)
    type_and_send(page, QUESTION)
    page.get_by_role("button", name="Why this answer?").click()
    why = dialog(page, "Why this answer?")
    why.get_by_role("textbox").fill("x" * 1001)
    why.get_by_role("button", name="Teach Diego").click()
    expect(why.get_by_role("status")).to_contain_text("1,000 characters")
    expect(why.get_by_role("textbox")).to_have_value("x" * 1001)


def test_the_export_is_a_file_with_what_was_said(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server)
    type_and_send(page, "Hello")
    shows(page, "Hello", "Hello to you.")
    page.get_by_role("button", name="Menu").click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Export").click()
    assert downloading.value.suggested_filename == "diego.json"
    (turn,) = json.loads(Path(downloading.value.path()).read_text())["turns"]
    assert (turn["prompt"], turn["reply"]) == ("Hello", "Hello to you.")


def test_forgetting_leaves_nothing_and_the_other_tab_says_so(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server)
    type_and_send(page, "Hello")
    shows(page, "Hello", "Hello to you.")
    other = open_another_tab(page)
    shows(other, "Hello", "Hello to you.")
    before = cookie(page)
    page.bring_to_front()
    open_menu(page, "Forget me")
    dialog(page, "Should Diego forget you?").get_by_role("button", name="Cancel").click()
    shows(page, "Hello", "Hello to you.")

    open_menu(page, "Forget me")
    dialog(page, "Should Diego forget you?").get_by_role("button", name="Forget everything").click()
    expect(page.get_by_role("heading", name="Hello, I’m Diego")).to_be_visible()
    shows(page)
    assert cookie(page).partition(".")[0] != before.partition(".")[0]

    other.bring_to_front()
    gone = other.get_by_role("dialog")
    expect(gone).to_contain_text(FORGOTTEN)
    gone.get_by_role("link", name="Begin anew").click()
    expect(other.get_by_role("heading", name="Hello, I’m Diego")).to_be_visible()
    type_and_send(other, QUESTION)
    shows(page, QUESTION, ANSWER)


def test_a_command_is_sent_once_as_it_may_have_been_carried_out(visit: Visitors, own_server: Server) -> None:
    visit.expect(LOST)
    page = visit(own_server)
    type_and_send(page, "/teach a => 1", "/teach b => 2", "slow 2", "/unteach 1")
    expect(page.locator(".thinking")).to_be_visible()
    own_server.kill()
    expect(page.locator(".noted").last).to_contain_text(texts("en")["failed"])
    expect(page.locator(".noted").last).to_contain_text("/unteach 1")
    noted = page.locator(".noted").count()
    type_and_send(page, "/lessons")
    expect(page.locator(".noted")).to_have_count(noted + 1)
    expect(page.locator(".noted").last).to_contain_text("/lessons")
    expect(page.locator(".noted").last).to_contain_text(texts("en")["failed"])
