"""What is said and taught is shown as the text that it is, whatever it holds."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat import dialog, log, open_menu, order_on_screen, shows, type_and_send
from tests.browsers import Visitors
from tests.processes import Server

pytestmark = pytest.mark.server

MARKUP = (
    "<img src=x onerror=window.executed=1>",
    "<script>window.executed=1</script>",
    "<svg onload=window.executed=1><style>*{display:none}</style>",
    "<a href=javascript:window.executed=1>click</a>",
    "</p></div><iframe srcdoc='<script>parent.executed=1</script>'></iframe>",
    "{{ 7 * 7 }} ${7 * 7} &lt;b&gt; &#x202e;",
)
NO_LINKS = (
    "javascript:window.executed=1",
    "data:text/html,<script>opener.executed=1</script>",
    "JaVaScRiPt://example.org/%0awindow.executed=1",
    "//example.org/ file:///etc/passwd vbscript:x http:// https://[",
)
LINKS = {
    "Look at https://example.org/a?b=c#d.": "https://example.org/a?b=c#d",
    "(http://example.org/x_(y))": "http://example.org/x_(y)",
    "“https://example.org”!": "https://example.org/",
    "https://example.org/\u202emoc.live": "https://example.org/",
    'https://example.org/"onclick=window.executed=1': "https://example.org/",
}
OVERRIDE = "\u202eabc\u2066def"
LONG = "x" * 900
QUESTION = "Where is the station?"


def elements(page: Page) -> dict[str, int]:
    """How many elements of each kind the page has, but for what shows a turn or tells a screen reader of it."""
    return dict(
        page.evaluate(
            """() => {
                const counts = {};
                for (const element of document.querySelectorAll("*"))
                    if (!element.closest(".turns, .announcer"))
                        counts[element.localName] = (counts[element.localName] ?? 0) + 1;
                return counts;
            }"""
        )
    )


def kinds_in_turns(page: Page) -> set[str]:
    """The kinds of elements that show turns, or tell a screen reader of them."""
    return {
        *page.evaluate(
            "() => [...document.querySelectorAll('.turns *, .announcer *')].map((element) => element.localName)"
        )
    }


@pytest.fixture
def page(visit: Visitors, server: Server) -> Iterator[Page]:
    """A page in which nothing may be executed; the server echoes, so that all is said by both."""
    page = visit(server)
    yield page
    assert page.evaluate("window.executed") is None


def test_markup_is_text(page: Page) -> None:
    type_and_send(page, "harmless")
    shows(page, "harmless", "harmless")
    before, kinds = elements(page), kinds_in_turns(page)
    type_and_send(page, *MARKUP)
    shows(page, "harmless", "harmless", *(text for one in MARKUP for text in (one, one)))
    assert (elements(page), kinds_in_turns(page)) == (before, kinds)
    page.reload()
    shows(page, "harmless", "harmless", *(text for one in MARKUP for text in (one, one)))
    assert kinds_in_turns(page) == kinds


def test_only_addresses_of_the_web_are_links(page: Page) -> None:
    type_and_send(page, *NO_LINKS)
    shows(page, *(text for one in NO_LINKS for text in (one, one)))
    expect(log(page).get_by_role("link")).to_have_count(0)


def test_a_link_opens_elsewhere_and_does_not_tell_where_it_was(page: Page) -> None:
    type_and_send(page, *LINKS)
    shows(page, *(text for one in LINKS for text in (one, one)))
    links = log(page).get_by_role("link")
    assert [link.evaluate("link => link.href") for link in links.all()] == [
        address for one in LINKS.values() for address in (one, one)
    ]
    for link in links.all():
        assert link.get_attribute("target") == "_blank"
        assert {"noopener", "noreferrer"} <= {*(link.get_attribute("rel") or "").split()}


def test_code_is_shown_as_it_was_written(page: Page) -> None:
    text = "So: `<b>x</b>` and\n```python\nif x < 1:\n    <script>window.executed=1</script>\n```\nthen"
    type_and_send(page, text)
    code = page.locator(".reply code")
    expect(code).to_have_count(2)
    assert code.all_text_contents() == ["<b>x</b>", "if x < 1:\n    <script>window.executed=1</script>"]


def test_what_turns_the_direction_of_writing_turns_nothing_beside_it(page: Page) -> None:
    type_and_send(page, OVERRIDE, "uvw")
    shows(page, OVERRIDE, OVERRIDE, "uvw", "uvw")
    replies = page.locator(".reply")
    assert not order_on_screen(replies.first, "a", "c")  # so the override is at work
    assert order_on_screen(replies.last, "u", "w")
    for why in page.get_by_role("button", name="Why this answer?").all():
        assert order_on_screen(why, "W", "?")
    page.get_by_role("button", name="Why this answer?").first.click()
    why = dialog(page, "Why this answer?")
    for name in ("What should Diego have said?", "Teach Diego"):
        assert order_on_screen(why.get_by_text(name), name[0], name[-1])


@pytest.mark.parametrize("before", ["\u202eSee ", "\u2067See ", "ראו "])
def test_a_link_cannot_be_written_backwards(page: Page, before: str) -> None:
    text = f"{before}https://example.org/+"
    type_and_send(page, text)
    shows(page, text, text)
    link = page.locator(".reply a")
    assert order_on_screen(link, "h", "g")
    assert order_on_screen(link, "h", "+")


def test_right_to_left_is_shown_so(page: Page) -> None:
    type_and_send(page, "שלום (a)")
    shows(page, "שלום (a)", "שלום (a)")
    assert order_on_screen(page.locator(".reply"), "a", "ש")


def test_long_words_do_not_make_the_page_wider(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 600})
    texts = (LONG, f"https://example.org/{LONG}", f"`{LONG}`", f"```{LONG}```", "W" * 40 + "\u00a0" * 60 + "W")
    type_and_send(page, *texts)
    expect(page.locator(".turn[data-seq]")).to_have_count(len(texts))
    assert not page.evaluate("document.scrollingElement.scrollWidth > innerWidth")
    assert not log(page).evaluate("log => log.scrollWidth > log.clientWidth")
    for button in page.get_by_role("button", name="Why this answer?").all():
        button.click()
        why = dialog(page, "Why this answer?")
        assert not why.evaluate("dialog => dialog.scrollWidth > dialog.clientWidth")
        page.keyboard.press("Escape")


def test_lessons_are_text(visit: Visitors, small_server: Server) -> None:
    page = visit(small_server)
    hostile = [*MARKUP, *NO_LINKS, OVERRIDE]
    type_and_send(page, QUESTION)
    page.get_by_role("button", name="Why this answer?").click()
    why = dialog(page, "Why this answer?")
    why.get_by_role("textbox").fill(hostile[0])
    why.get_by_role("button", name="Teach Diego").click()
    expect(why.get_by_role("status")).to_contain_text("Diego has learned that")
    why.get_by_role("button", name="Close").click()
    type_and_send(page, QUESTION, *(f"/teach {one} => {one}" for one in hostile))
    expect(page.locator(".reply").nth(1)).to_have_text(hostile[0])
    expect(page.locator(".turn.noted")).to_have_count(len(hostile))
    open_menu(page, "What you taught Diego")
    lessons = dialog(page, "What you taught Diego").get_by_role("listitem")
    expect(lessons.locator("p")).to_have_text([QUESTION, hostile[0], *(text for one in hostile for text in (one, one))])
    lessons.last.get_by_role("button").click()
    expect(page.get_by_role("status").filter(has_text="Taken back")).to_contain_text(OVERRIDE)
    assert page.evaluate("window.executed") is None
