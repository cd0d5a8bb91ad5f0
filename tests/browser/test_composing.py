"""Writing messages, and what moves on the page and what does not."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat import cookie, field, log, say_elsewhere, shows, state, type_and_send
from tests.browsers import Visitors
from tests.processes import Server, wait_for
from tests.tabs import open_tab, say, until_reply

pytestmark = pytest.mark.server

MANY = tuple(f"Number {number}" for number in range(1, 31))


def sent_by(page: Page) -> list[str]:
    """The texts of the messages that the page sends from now on: it is loaded anew."""
    texts: list[str] = []

    def note(payload: str | bytes) -> None:
        frame = json.loads(payload)
        if frame["type"] == "message":
            texts.append(frame["text"])

    page.on("websocket", lambda ws: ws.on("framesent", note))
    page.reload()
    expect(state(page)).to_have_text("Connected")
    return texts


def at_end(page: Page) -> bool:
    """Whether the last that was said is seen."""
    return bool(log(page).evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight < 2"))


def test_enter_sends_and_with_shift_it_breaks_the_line(visit: Visitors, server: Server) -> None:
    page = visit(server)
    sent = sent_by(page)
    field(page).focus()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    expect(field(page)).to_have_value("one\ntwo")
    page.keyboard.press("Enter")
    expect(field(page)).to_have_value("")
    wait_for(lambda: page.locator(".reply").all_inner_texts() == ["one\ntwo"])
    assert sent == ["one\ntwo"]


def test_the_enter_of_an_input_method_does_not_send(visit: Visitors, server: Server) -> None:
    page = visit(server)
    sent = sent_by(page)
    field(page).focus()
    keyboard = page.context.new_cdp_session(page)
    keyboard.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    page.keyboard.press("Enter")
    keyboard.send("Input.insertText", {"text": "日本"})
    type_and_send(page, "日本")
    shows(page, "日本", "日本")
    assert sent == ["日本"]


def test_nothing_is_not_sent(visit: Visitors, server: Server) -> None:
    page = visit(server)
    sent = sent_by(page)
    for nothing in ("", "   ", "\n\n"):
        field(page).fill(nothing)
        field(page).press("Enter")
        page.get_by_role("button", name="Send").click()
    type_and_send(page, "something")
    shows(page, "something", "something")
    assert sent == ["something"]


def test_more_than_a_message_may_have_is_told_and_not_sent(visit: Visitors, server: Server) -> None:
    page = visit(server)
    sent = sent_by(page)
    told = page.locator(".composer").get_by_role("status")
    field(page).fill("x" * 1001)
    expect(told).to_have_text("1001 of 1000 characters: please say it shorter")
    field(page).press("Enter")
    expect(field(page)).to_have_value("x" * 1001)
    # As many as there may be; JavaScript counts two for each.
    field(page).fill("😀" * 1000)
    expect(told).to_have_text("1000 of 1000 characters")
    field(page).press("Enter")
    shows(page, "😀" * 1000, "😀" * 1000)
    expect(told).to_be_hidden()
    assert sent == ["😀" * 1000]


def test_the_page_follows_what_is_new(visit: Visitors, server: Server) -> None:
    page = visit(server)
    type_and_send(page, *MANY)
    shows(page, *(text for one in MANY for text in (one, one)))
    wait_for(lambda: at_end(page))
    field(page).fill("a\nmessage\nof\nmany\nlines")
    wait_for(lambda: at_end(page))
    field(page).fill("")
    say_elsewhere(server, page, "long 900")
    expect(page.locator(".reply").last).to_have_text("x" * 900)
    expect(page.locator(".reply").last).to_be_in_viewport(ratio=1)
    wait_for(lambda: at_end(page))
    expect(page.get_by_role("button", name="New messages")).to_be_hidden()


def test_a_reader_who_has_scrolled_up_is_not_moved_and_is_led_to_what_is_new(visit: Visitors, server: Server) -> None:
    page = visit(server)
    type_and_send(page, *MANY)
    shows(page, *(text for one in MANY for text in (one, one)))
    chip = page.get_by_role("button", name="New messages")
    wait_for(lambda: at_end(page))
    log(page).evaluate("log => new Promise((done) => ((log.onscroll = done), (log.scrollTop = 400)))")
    expect(chip).to_be_hidden()
    say_elsewhere(server, page, "something new")
    expect(chip).to_be_visible()
    assert log(page).evaluate("log => log.scrollTop") == 400
    chip.click()
    expect(chip).to_be_hidden()
    expect(page.locator(".reply").last).to_be_in_viewport()
    assert at_end(page)


def test_that_diego_is_typing_is_shown_while_he_is(visit: Visitors, server: Server) -> None:
    page = visit(server)
    expect(state(page)).to_have_text("Connected")
    typing = page.get_by_role("img", name="Diego is typing")
    type_and_send(page, "slow 1")
    expect(typing).to_be_visible()
    shows(page, "slow 1", "slow 1")
    expect(typing).to_be_hidden()
    with open_tab(server, cookie(page)) as tab:
        asked = say(tab, "slow 0.5")
        expect(typing).to_be_visible()
        until_reply(tab, asked)
    shows(page, "slow 1", "slow 1", "slow 0.5", "slow 0.5")
    expect(typing).to_be_hidden()


def test_a_message_whose_reply_fails_can_be_written_again(visit: Visitors, server: Server) -> None:
    page = visit(server)
    type_and_send(page, "fail")
    expect(page.locator(".reply")).to_contain_text("Sorry, something went wrong")
    page.get_by_role("button", name="Write it again").click()
    expect(field(page)).to_have_value("fail")
    expect(field(page)).to_be_focused()


def test_a_command_is_answered_and_is_no_turn(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server)
    type_and_send(page, "/teach Ping => Pong!", "Ping")
    shows(page, "/teach Ping => Pong!", "I have learned that, just for you: Ping => Pong!", "Ping", "Pong!")
    page.reload()
    shows(page, "Ping", "Pong!")


def test_a_command_waits_for_the_connection(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server)
    expect(state(page)).to_have_text("Connected")
    field(page).fill("/teach Ping => Pong!")
    page.evaluate(
        """() => {
            dispatchEvent(new Event("offline"));
            document.querySelector(".composer").requestSubmit();
        }"""
    )
    type_and_send(page, "Ping")
    shows(page, "/teach Ping => Pong!", "I have learned that, just for you: Ping => Pong!", "Ping", "Pong!")
