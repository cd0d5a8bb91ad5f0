"""The operator's page: who may see it, what is decided there, and what Diego then says to those who chat."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser.chat import LOST, log, state, type_and_send
from tests.browser.test_accessibility import too_wide
from tests.browser.test_hostile import MARKUP
from tests.browsers import Visitors, needs_package, violations
from tests.processes import DIEGO, Server, serving, wait_for
from tests.small import SETTINGS, UNKNOWN, answer, answers, serving_small
from tests.tabs import new_cookie, open_plain_tab

pytestmark = pytest.mark.server

TOKEN = "the-token-of-the-tests"
REFUSED = "status of 401"
"""What the browser complains of when somebody has not signed in."""

UNSURE = "Where is the old station, please?"
SMALL_PHONE = ViewportSize(width=320, height=568)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server with a token."""
    with serving_small(tmp_path, DIEGO_ADMIN_TOKEN=TOKEN) as server:
        yield server


def say(server: Server, *texts: str) -> list[str]:
    """What Diego answers to a new visitor."""
    with open_plain_tab(server, new_cookie(server)) as tab:
        return answers(tab, texts)


def until_answered(server: Server, prompt: str, reply: str) -> None:
    """Wait until that is what Diego answers."""
    with open_plain_tab(server, new_cookie(server)) as tab:
        wait_for(lambda: answer(tab, prompt) == reply, server)


def sign_in(page: Page, token: str = TOKEN) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def part(page: Page, title: str) -> Locator:
    """A part of the page with what is to be decided on."""
    return page.get_by_role("region", name=re.compile(title))


@pytest.fixture
def page(visit: Visitors, own_server: Server) -> Page:
    """The page, of somebody who has signed in."""
    page = visit(own_server, "/insights", reduced_motion="reduce")
    sign_in(page)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def reload(page: Page) -> None:
    """What has happened since is there at once."""
    page.reload()
    expect(page.locator("[data-list=doubtful] .number")).not_to_be_empty()  # which is asked for last


def test_signing_in_and_out(visit: Visitors, own_server: Server) -> None:
    visit.expect(REFUSED)
    page = visit(own_server, "/insights")
    expect(page.get_by_label("Token")).to_be_focused()
    sign_in(page, "not the token")
    expect(page.get_by_role("status")).to_contain_text("That is not the token.")
    sign_in(page)
    expect(state(page)).to_have_text("Connected")
    assert TOKEN not in page.url + page.content()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()


def test_who_is_signed_out_elsewhere_is_asked_for_the_token(visit: Visitors, page: Page) -> None:
    visit.expect(REFUSED)
    page.context.clear_cookies()
    expect(page.get_by_label("Token")).to_be_visible()


def test_what_is_answered_diego_knows_and_the_question_is_gone(visit: Visitors, own_server: Server, page: Page) -> None:
    assert say(own_server, "What's a bitcoin?", "Who painted this?") == [UNKNOWN, UNKNOWN]
    assert say(own_server, "whats a BITCOIN") == [UNKNOWN]
    reload(page)
    questions = part(page, "Not answered").get_by_role("listitem")
    expect(questions.locator(".words")).to_have_text(["whats a BITCOIN", "Who painted this?"])
    expect(questions.first).to_contain_text("2 visitors · asked 2 times")
    questions.first.get_by_role("textbox").fill("Digital money.")
    questions.first.get_by_role("button", name="Answer").click()
    expect(part(page, "Not answered").get_by_role("status")).to_contain_text("Diego knows it within two seconds")
    expect(questions.locator(".words")).to_have_text(["Who painted this?"])
    expect(page.locator("#unanswered-title")).to_be_focused()
    chat = visit(own_server)
    expect(log(chat).locator(".empty")).to_be_visible()
    until_answered(own_server, "What's a Bitcoin?!", "Digital money.")
    type_and_send(chat, "whats a bitcoin")
    expect(log(chat).locator(".reply")).to_have_text("Digital money.")
    reload(page)
    expect(questions.locator(".words")).to_have_text(["Who painted this?"])


def test_what_is_dismissed_does_not_come_back(own_server: Server, page: Page) -> None:
    say(own_server, "asdf jkl", "Who painted this?")
    reload(page)
    questions = part(page, "Not answered").get_by_role("listitem")
    page.get_by_role("button", name="Dismiss: asdf jkl").click()
    expect(questions.locator(".words")).to_have_text(["Who painted this?"])
    say(own_server, "asdf jkl!")
    reload(page)
    expect(questions.locator(".words")).to_have_text(["Who painted this?"])


def test_a_lesson_is_approved_or_rejected(own_server: Server, page: Page) -> None:
    say(own_server, "/teach ping => pong", "/teach sun => moon")
    say(own_server, "/teach ping => pong")
    reload(page)
    lessons = part(page, "Taught by visitors").get_by_role("listitem")
    expect(lessons).to_have_count(2)
    expect(lessons.first).to_contain_text("2 visitors")
    page.get_by_role("button", name="Reject: sun").click()
    page.get_by_role("button", name="Approve: ping").click()
    expect(part(page, "Taught by visitors").get_by_role("status")).to_contain_text("Approved.")
    expect(part(page, "Taught by visitors")).to_contain_text("There is nothing to decide on.")
    until_answered(own_server, "ping", "pong")
    assert say(own_server, "sun") == [UNKNOWN]


def test_of_more_lessons_than_are_shown_one_is_less_when_it_is_decided_on(page: Page) -> None:
    lesson = {"number": 1, "prompt": "sun", "reply": "moon", "taught_at": 1.0, "visitors": 1}
    page.route("**/insights/lessons", lambda route: route.fulfill(json={"lessons": [lesson], "count": 250}))
    page.route("**/insights/lessons/1", lambda route: route.fulfill(json=lesson))
    reload(page)
    page.get_by_role("button", name="Reject: sun").click()
    lessons = part(page, "Taught by visitors")
    expect(lessons.get_by_role("status")).not_to_be_empty()
    assert lessons.locator(".number").text_content() == "249"


def test_what_diego_was_not_sure_of_is_answered_better(own_server: Server, page: Page) -> None:
    assert say(own_server, UNSURE) == ["At the end of the road."]
    reload(page)
    doubtful = part(page, "Not sure").get_by_role("listitem")
    expect(doubtful.locator(".words")).to_have_text(UNSURE)
    expect(doubtful.locator(".given")).to_have_text("At the end of the road.")
    doubtful.get_by_text("Why this answer?").click()
    expect(doubtful.locator(".receipt")).to_contain_text('matched: "Where is the station?" from small.yml')
    doubtful.get_by_role("textbox").fill("It is a museum now.")
    doubtful.get_by_role("textbox").press("Tab")
    page.keyboard.press("Enter")
    expect(part(page, "Not sure").get_by_role("listitem")).to_have_count(0)
    until_answered(own_server, UNSURE, "It is a museum now.")
    assert say(own_server, "Where is the station?") == ["At the end of the road."]


def test_what_is_being_written_stays_while_the_lists_change(own_server: Server, page: Page) -> None:
    say(own_server, "Who painted this?")
    reload(page)
    questions = part(page, "Not answered").get_by_role("listitem")
    questions.get_by_role("textbox").fill("Half an answ")
    for _ in range(2):
        say(own_server, "What's a bitcoin?")
    expect(questions.locator(".words")).to_have_text(["What's a bitcoin?", "Who painted this?"])
    expect(questions.last.get_by_role("textbox")).to_have_value("Half an answ")
    expect(questions.last.get_by_role("textbox")).to_be_focused()


def test_what_visitors_write_is_text(own_server: Server, page: Page) -> None:
    for one in MARKUP:
        say(own_server, one, f"/teach {one} => {one}")
    reload(page)
    for title in ("Not answered", "Taught by visitors"):
        words = part(page, title).locator(".words")
        expect(words).to_have_count(len(MARKUP))
        assert {*words.all_inner_texts()} == {*MARKUP}
    assert page.evaluate("window.executed") is None
    assert page.locator("iframe, .questions img, .questions script").count() == 0


def test_the_numbers_are_live(own_server: Server, page: Page) -> None:
    clients = page.locator("[data-chart=clients] .now")
    expect(clients).to_have_text("0")
    with open_plain_tab(own_server, new_cookie(own_server)) as tab:
        expect(clients).to_have_text("1")
        answer(tab, "Hello")
        expect(page.locator("[data-chart=latency] .now")).to_have_text(re.compile(r"half within \d.* ms, 99 % within"))
        expect(page.get_by_role("img", name="People chatting: 1")).to_be_visible()
        assert page.locator("[data-chart=replies] .most").inner_text().startswith("up to")
    expect(clients).to_have_text("0")
    page.reload()
    expect(page.locator("[data-chart=clients] .most")).to_have_text("up to 1")  # the server has kept it
    expect(page.locator("[data-chart=clients] path")).to_have_attribute("d", re.compile("M.*L"))


def test_a_server_that_stops_is_told_and_found_again(visit: Visitors, tmp_path: Path) -> None:
    visit.expect(LOST)
    with serving_small(tmp_path, DIEGO_ADMIN_TOKEN=TOKEN) as first:
        page = visit(first, "/insights")
        sign_in(page)
        expect(state(page)).to_have_text("Connected")
        port = first.port
        assert first.stop(signal.SIGTERM) == 0
        expect(state(page)).to_have_text("No connection – trying again …")
    with serving(tmp_path, *DIEGO, port=port, DIEGO_ADMIN_TOKEN=TOKEN, **SETTINGS):
        expect(state(page)).to_have_text("Connected")
        page.close()


def test_a_proxy_that_does_not_reach_the_server_is_no_connection(visit: Visitors, page: Page) -> None:
    visit.expect("the server responded with a status of 503")
    expect(state(page)).to_have_text("Connected")
    away = {"error": "Diego is away; please come back in a moment."}
    page.route("**/insights/*", lambda route: route.fulfill(status=503, json=away))
    expect(state(page)).to_have_text("No connection – trying again …")
    page.unroute("**/insights/*")
    expect(state(page)).to_have_text("Connected")


@needs_package("axe-core")
def test_axe_finds_nothing(visit: Visitors, own_server: Server) -> None:
    visit.expect(REFUSED)
    page = visit(own_server, "/insights", reduced_motion="reduce")
    found = violations(page)
    sign_in(page, "wrong")
    expect(page.get_by_role("status")).not_to_be_empty()
    found += violations(page)
    sign_in(page)
    expect(state(page)).to_have_text("Connected")
    found += violations(page)
    say(own_server, "What's a bitcoin?", "/teach ping => pong", UNSURE)
    reload(page)
    expect(part(page, "Not sure").get_by_role("listitem")).to_have_count(1)
    page.locator("summary:visible").click()
    found += violations(page)
    assert found == []


@pytest.mark.parametrize("locale", ["en", "es", "fr"])
def test_in_a_small_window_nothing_is_scrolled_sideways(visit: Visitors, own_server: Server, locale: str) -> None:
    say(own_server, "x" * 900, "/teach ping => pong", UNSURE)
    page = visit(own_server, "/insights", viewport=SMALL_PHONE, locale=locale, reduced_motion="reduce")
    wide = too_wide(page)
    page.locator("#token").fill(TOKEN)
    page.locator("[type=submit]").click()
    for name in ("unanswered", "lessons", "doubtful"):
        expect(page.locator(f"[data-list={name}] li")).to_have_count(1)
    page.locator("summary:visible").click()
    assert (wide, too_wide(page)) == ([], [])
