"""What people do on the page that chats, and what they see there."""

import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.processes import Server
from tests.tabs import open_tab, say, until_reply

LOST = r"WebSocket connection to .* failed|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_(?:REFUSED|RESET)"
"""What the browser complains of while there is no server or no network."""


each_end = pytest.mark.parametrize(
    ("end", "told"), [(signal.SIGTERM, "Diego is restarting …"), (signal.SIGKILL, "No connection – trying again …")]
)
"""How a server may end, and what the page then says."""


def field(page: Page) -> Locator:
    """Where messages are written."""
    return page.get_by_role("textbox", name="Message")


def type_and_send(page: Page, *texts: str) -> None:
    """Say this, one message after the other."""
    for text in texts:
        field(page).fill(text)
        field(page).press("Enter")


def log(page: Page) -> Locator:
    """What was said."""
    return page.get_by_role("log", name="Conversation")


def shows(page: Page, *texts: str) -> None:
    """Wait until just this is shown: what was said, what was replied, and so on."""
    expect(log(page).locator(".said, .reply")).to_have_text([*texts])


def state(page: Page) -> Locator:
    """What is said of the connection."""
    return page.locator(".state")


def recorded_states(page: Page) -> Callable[[], list[str]]:
    """All that is said of the connection from now on, also what stands there for a moment."""
    page.evaluate(
        """() => {
            const state = document.querySelector(".state"), states = (window.states = []);
            new MutationObserver(() => states.push(state.textContent)).observe(state, { childList: true });
        }"""
    )
    return lambda: [*page.evaluate("states")]


def numbers(page: Page) -> list[int]:
    """Those of the turns that are shown."""
    return [int(turn.get_attribute("data-seq") or 0) for turn in log(page).locator(".turn").all()]


def cookie(page: Page) -> str:
    """The visitor's, as other clients bring it."""
    return "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())


def say_elsewhere(server: Server, page: Page, *texts: str) -> None:
    """What the same visitor says in a client that is no browser."""
    with open_tab(server, cookie(page)) as tab:
        for text in texts:
            until_reply(tab, say(tab, text))


def open_menu(page: Page, entry: str) -> None:
    """Choose an entry of the menu."""
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name=entry).click()


def dialog(page: Page, name: str) -> Locator:
    """A dialog that is open."""
    return page.get_by_role("dialog", name=name)


def order_on_screen(element: Locator, first: str, last: str) -> bool:
    """Whether, in the text of an element, the one letter stands left of the other."""
    return bool(
        element.evaluate(
            """(element, letters) => {
                const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), left = {};
                for (let node = walker.nextNode(); node; node = walker.nextNode())
                    for (const letter of letters) {
                        const at = node.data.indexOf(letter), range = document.createRange();
                        if (at < 0) continue;
                        range.setStart(node, at);
                        range.setEnd(node, at + 1);
                        left[letter] = range.getBoundingClientRect().left;
                    }
                return left[letters[0]] < left[letters[1]];
            }""",
            [first, last],
        )
    )
