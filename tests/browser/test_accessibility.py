"""That everybody can use the page: with a screen reader, a keyboard alone, large letters or no wish for motion."""

import pytest
from playwright.sync_api import FloatRect, Locator, Page, ViewportSize, expect

from tests.browser.chat import LOST, dialog, field, open_menu, shows, state, type_and_send
from tests.browsers import Visitors, needs_package, violations
from tests.processes import Server

pytestmark = pytest.mark.server

QUESTION, ANSWER = "Where is the station?", "At the end of the road."
FOCUSABLE = "a[href], button, input, textarea, [tabindex='0']"
SMALL_PHONE, ZOOMED_200 = ViewportSize(width=320, height=568), ViewportSize(width=640, height=400)
ZOOMED_400, DESKTOP = ViewportSize(width=320, height=256), ViewportSize(width=1280, height=800)
FOCUS_MARGIN = 5  # px around an element in which it may be shown that it has the focus


@needs_package("axe-core")
def test_axe_finds_nothing(visit: Visitors, small_server: Server) -> None:
    visit.expect(LOST)
    page = visit(small_server, reduced_motion="reduce")
    found: dict[str, list[str]] = {}

    def check(situation: str) -> None:
        if against := violations(page):
            found[situation] = against

    expect(page.get_by_role("heading", name="Hello, I’m Diego")).to_be_visible()
    check("nothing was said")
    type_and_send(page, QUESTION, "See https://example.org and `code`", "/lessons", "/teach x")
    expect(page.locator(".turn.noted")).to_have_count(2)
    check("a conversation")
    field(page).fill("x" * 1001)
    check("too long")
    page.get_by_role("button", name="Why this answer?").first.click()
    why = dialog(page, "Why this answer?")
    why.get_by_role("textbox").fill("Behind the museum.")
    why.get_by_role("button", name="Teach Diego").click()
    expect(why.get_by_role("status")).not_to_be_empty()
    check("why this answer")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Menu").click()
    check("the menu")
    page.get_by_role("button", name="What you taught Diego").click()
    expect(page.get_by_role("listitem")).to_have_count(1)
    check("a lesson")
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("listitem")).to_have_count(0)
    check("no lessons")
    page.keyboard.press("Escape")
    open_menu(page, "Forget me")
    check("forget me")
    page.keyboard.press("Escape")
    page.context.set_offline(True)
    field(page).fill("")
    type_and_send(page, "Hello")
    expect(page.locator(".turn").last).to_contain_text("Not sent yet")
    check("offline")
    page.context.set_offline(False)
    type_and_send(page, "/forget")
    expect(page.get_by_role("dialog")).to_contain_text("Diego has forgotten you.")
    check("forgotten")
    assert found == {}


def box_of_focus(page: Page) -> FloatRect:
    """Where the element is that has the focus, with a margin."""
    box: FloatRect = page.evaluate(
        """(margin) => {
            const box = document.activeElement.getBoundingClientRect();
            const x = Math.max(0, box.x - margin), y = Math.max(0, box.y - margin);
            return {
                x, y,
                width: Math.min(innerWidth, box.right + margin) - x,
                height: Math.min(innerHeight, box.bottom + margin) - y,
            };
        }""",
        FOCUS_MARGIN,
    )
    return box


def focus_is_seen(page: Page) -> bool:
    """Whether the element that has the focus looks different without it."""
    box = box_of_focus(page)
    focused = page.screenshot(clip=box)
    element = page.evaluate_handle("document.activeElement")
    element.evaluate("element => element.blur()")
    blurred = page.screenshot(clip=box)
    element.evaluate("element => element.focus({ focusVisible: true })")
    return focused != blurred


def focus_everything(page: Page) -> tuple[list[str], list[str]]:
    """What can be used, and what of it has the focus and is seen to have it when Tab is pressed again and again."""
    usable: dict[str, str] = page.evaluate(
        """(focusable) => {
            const within = document.querySelector("dialog[open]") ?? document;
            window.elements = [...within.querySelectorAll(focusable)].filter((element) => element.checkVisibility());
            return Object.fromEntries(elements.map((element, number) => [number, element.outerHTML]));
        }""",
        FOCUSABLE,
    )
    reached = set()
    for _ in range(len(usable) + 1):  # between the last and the first, nothing of the page may have the focus
        page.keyboard.press("Tab")
        number = str(page.evaluate("elements.indexOf(document.activeElement)"))
        if number in usable and focus_is_seen(page):
            reached.add(number)
    return [*usable.values()], [html for number, html in usable.items() if number in reached]


def focused(page: Page) -> Locator:
    return page.locator(":focus")


def test_everything_is_reached_by_the_keyboard_and_seen_to_be(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server, reduced_motion="reduce")
    expect(page.get_by_role("heading", name="Hello, I’m Diego")).to_be_visible()
    usable, reached = focus_everything(page)
    assert len(usable) >= 8
    assert usable == reached
    type_and_send(page, QUESTION)
    shows(page, QUESTION, ANSWER)
    usable, reached = focus_everything(page)
    assert len(usable) >= 6
    assert usable == reached


@needs_package("socket.io-client")
def test_the_room_is_reached_by_the_keyboard_and_seen_to_be(visit: Visitors, server: Server) -> None:
    page = visit(server, "/room", reduced_motion="reduce")
    usable, reached = focus_everything(page)
    assert len(usable) >= 5
    assert usable == reached
    page.get_by_role("textbox", name="Your name").focus()
    page.keyboard.type("Ana")
    page.keyboard.press("Enter")
    expect(field(page)).to_be_focused()
    page.keyboard.type("Hello")
    page.keyboard.press("Enter")
    expect(page.locator(".room-message .words").last).to_have_text("Hello")
    usable, reached = focus_everything(page)
    assert len(usable) >= 5
    assert usable == reached


def test_dialogs_are_used_with_the_keyboard_alone(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server, reduced_motion="reduce")
    expect(state(page)).to_have_text("Connected")
    expect(field(page)).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    shows(page, QUESTION, ANSWER)

    page.keyboard.press("Shift+Tab")
    expect(focused(page)).to_have_text("Why this answer?")
    page.keyboard.press("Enter")
    why = dialog(page, "Why this answer?")
    expect(why).to_be_visible()
    usable, reached = focus_everything(page)
    assert len(usable) == 3
    assert usable == reached
    page.keyboard.press("Escape")
    expect(why).to_be_hidden()
    expect(focused(page)).to_have_text("Why this answer?")

    for entry, title in (("What you taught Diego", "What you taught Diego"), ("Forget me", "Should Diego forget you?")):
        page.get_by_role("button", name="Menu").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name=entry)).to_be_hidden()
        expect(focused(page)).to_have_text("Menu")
        page.keyboard.press("Enter")
        while page.evaluate("document.activeElement.textContent") != entry:
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(dialog(page, title)).to_be_visible()
        usable, reached = focus_everything(page)
        assert usable == reached
        page.keyboard.press("Escape")
        expect(dialog(page, title)).to_be_hidden()
        expect(focused(page)).to_have_text("Menu")


def test_the_skip_link_leads_to_the_message(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server)
    page.get_by_role("link", name="Skip to the message").focus()
    page.keyboard.press("Enter")
    expect(field(page)).to_be_focused()


def test_replies_are_announced(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server)
    type_and_send(page, QUESTION)
    expect(page.locator("[aria-live=polite]")).to_have_text(ANSWER)


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_for_those_who_do_not_like_it(visit: Visitors, server: Server, motion: str) -> None:
    page = visit(server, reduced_motion=motion)
    type_and_send(page, "slow 1")
    expect(page.get_by_role("img", name="Diego is typing")).to_be_visible()
    assert page.evaluate("document.getAnimations().length > 0") == (motion != "reduce")


@pytest.mark.parametrize("locale", ["en", "es", "fr"])
def test_in_a_small_window_nothing_is_scrolled_sideways(visit: Visitors, small_server: Server, locale: str) -> None:
    page = visit(small_server, locale=locale)
    assert use_everything(page, "100%", SMALL_PHONE, ZOOMED_200, ZOOMED_400) == {}


@pytest.mark.parametrize("locale", ["en", "es", "fr"])
def test_with_letters_twice_as_large_nothing_is_cut_off(visit: Visitors, small_server: Server, locale: str) -> None:
    page = visit(small_server, locale=locale)
    assert use_everything(page, "200%", DESKTOP) == {}


@needs_package("socket.io-client")
@pytest.mark.parametrize("locale", ["en", "es", "fr"])
def test_the_room_fits_into_a_small_window(visit: Visitors, server: Server, locale: str) -> None:
    page = visit(server, "/room", locale=locale, viewport=SMALL_PHONE)
    at_the_door = too_wide(page)
    page.locator("#name").fill(f"Ana {locale}")
    page.locator("#name").press("Enter")
    expect(page.locator(".people")).to_contain_text(f"Ana {locale}")
    page.locator("#message").fill(f"@diego {locale}")
    page.locator("#message").press("Enter")
    expect(page.locator(".room-message .words").last).to_have_text(locale)
    assert (at_the_door, too_wide(page)) == ([], [])


def use_everything(page: Page, letters: str, *windows: ViewportSize) -> dict[str, list[str]]:
    """Use the page, in whatever language, with windows of these sizes; where something is too wide, and what."""
    page.evaluate("size => (document.documentElement.style.fontSize = size)", letters)
    wide = {}

    def look(situation: str, *seen: Locator) -> None:
        for window in windows:
            page.set_viewport_size(window)
            for element in seen:
                expect(element).to_be_in_viewport()
            if found := too_wide(page):
                wide[f"{situation} in {window}"] = found

    expect(page.locator(".count")).not_to_be_empty()
    expect(page.locator(".empty")).to_be_visible()
    look("nothing was said")
    message = page.locator("#message")
    message.fill(QUESTION)
    message.press("Enter")
    expect(page.locator(".reply")).to_have_text(ANSWER)
    look("a conversation", page.locator(".reply"), message)
    page.locator(".ask-why").click()
    look("why")
    for opener in ("lessons", "forget"):
        page.keyboard.press("Escape")
        page.locator("[popovertarget=menu]").click()
        look("menu")
        page.locator(f"[data-opens={opener}]").click()
        expect(page.locator(f"#{opener}")).to_be_visible()
        look(opener)
    return wide


def too_wide(page: Page) -> list[str]:
    """What would have to be scrolled sideways, is cut off, or stands outside of the window."""
    found: list[str] = page.evaluate(
        """() => {
            const all = [...document.querySelectorAll("*")].filter((element) => element.checkVisibility());
            const hidden = (element) => element.closest(".visually-hidden, .skip, .own > .who, .grouped > .who");
            const scrolls = (element) => element.scrollWidth > element.clientWidth + 1
                && getComputedStyle(element).overflowX !== "visible" || element === document.scrollingElement
                && element.scrollWidth > innerWidth;
            const outside = (element) => {
                const { left, right } = element.getBoundingClientRect();
                return left < 0 || right > innerWidth + 0.5;
            };
            return all.filter((element) => !hidden(element) && (scrolls(element) || outside(element)))
                .map((element) => element.outerHTML.slice(0, 200));
        }"""
    )
    return found
