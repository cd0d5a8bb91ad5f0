"""How the page comes: light, from its own origin, before the connection, and in the language of whoever asks."""

from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat import LOST, shows, state, type_and_send
from tests.browsers import Visitors, needs_package
from tests.processes import STAND_IN, Server, serving, wait_for

pytestmark = pytest.mark.server

MOST_BYTES = 60 * 1024
LIBRARY = "/socket.io/socket.io.js"
SAME_IN_ENGLISH_AND_FRENCH = {"Menu", "Message", "Conversation"}

HESITANT = (
    "-c",
    f"""
import asyncio, pathlib
from chatbot.web import tab

async def accept_when_told(tab, accept=tab.Tab.accept):
    while not pathlib.Path("accept").exists():
        await asyncio.sleep(0.02)
    await accept(tab)

tab.Tab.accept = accept_when_told
{STAND_IN[1]}
""",
)
"""The stand-in, but it accepts no WebSocket before there is a file `accept` in its folder."""


def loaded(page: Page) -> list[tuple[str, int]]:
    """What the page has loaded, some of it more than once, and how many bytes that took on the wire."""
    entries = page.evaluate(
        """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
            .map((entry) => [entry.name, entry.transferSize])"""
    )
    return [(url, size) for url, size in entries]


@needs_package("socket.io-client")
@pytest.mark.parametrize(("path", "script"), [("/", "chat.js"), ("/room", "room.js")])
def test_the_page_is_light(visit: Visitors, server: Server, path: str, script: str) -> None:
    page = visit(server, path)
    expect(page.locator(".empty")).to_be_visible()
    files = loaded(page)
    assert {url.rpartition("/")[2] for url, _ in files} >= {path[1:], script, "page.css", "diego.svg"}
    assert min(size for _, size in files) > 0  # nothing comes from a cache
    assert any(url.endswith(LIBRARY) for url, _ in files) == (path == "/room")
    assert sum(size for url, size in files if not url.endswith(LIBRARY)) <= MOST_BYTES


def test_the_page_is_there_before_the_connection(visit: Visitors, tmp_path: Path) -> None:
    with serving(tmp_path, *HESITANT) as server:
        page = visit(server)
        wait_for(lambda: page.evaluate("performance.getEntriesByName('first-contentful-paint').length"))
        expect(state(page)).to_have_text("Connecting …")
        type_and_send(page, "Hello")
        expect(page.locator(".turn")).to_contain_text("Not sent yet")
        page.get_by_role("button", name="Menu").click()
        expect(page.get_by_role("link", name="Export")).to_be_visible()
        (tmp_path / "accept").touch()
        expect(state(page)).to_have_text("Connected")
        shows(page, "Hello", "Hello")
        page.close()


def strings(page: Page) -> set[str]:
    """All texts and attributes that the page shows or may show, and screen readers read, but no times and commands."""
    found: list[str] = page.evaluate(
        """() => {
            const read = (root) => {
                const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), texts = [];
                for (let node = walker.nextNode(); node; node = walker.nextNode())
                    if (!node.parentElement?.matches("time, code")) texts.push(node.data.trim());
                for (const element of root.querySelectorAll("*"))
                    for (const name of ["aria-label", "title", "placeholder", "alt"])
                        texts.push(element.getAttribute(name) ?? "");
                return texts;
            };
            return [
                document.title, document.querySelector("meta[name=description]").content, ...read(document.body),
                ...[...document.querySelectorAll("template")].flatMap((template) => read(template.content)),
            ];
        }"""
    )
    return {*found} - {""}


@pytest.mark.parametrize(("path", "shown"), [("/", ".count"), ("/room", ".empty")])
def test_no_text_of_another_language_is_on_the_page(
    visit: Visitors, small_server: Server, path: str, shown: str
) -> None:
    said = {}
    for language in ("en", "es", "fr"):
        page = visit(small_server, path, locale=language)
        expect(page.locator(shown)).not_to_be_empty()
        assert page.evaluate("document.documentElement.lang") == language
        said[language] = strings(page)
    assert min(map(len, said.values())) > 15
    assert said["en"] & said["es"] <= {"Diego"}
    assert said["es"] & said["fr"] <= {"Diego"}
    assert said["en"] & said["fr"] <= {"Diego", *SAME_IN_ENGLISH_AND_FRENCH}


def test_what_the_page_says_by_and_by_is_in_its_language(visit: Visitors, server: Server) -> None:
    visit.expect(LOST)
    said = {}
    for language in ("en", "es", "fr"):
        page = visit(server, locale=language)
        expect(page.locator(".state[data-state=connected]")).to_be_visible()
        before = strings(page)
        message = page.locator("#message")
        message.fill("slow 0.5")
        message.press("Enter")
        expect(page.locator(".dots")).to_be_visible()
        typing = strings(page)
        expect(page.locator(".dots")).to_be_hidden()
        page.locator(".ask-why").click()
        page.locator("#correction").fill("5")
        page.locator("#why [type=submit]").click()
        expect(page.locator("#why .outcome")).not_to_be_empty()
        page.keyboard.press("Escape")
        page.locator("[popovertarget=menu]").click()
        page.locator("[data-opens=lessons]").click()
        page.locator("#lessons li button").click()
        expect(page.locator("#lessons .outcome")).not_to_be_empty()
        page.keyboard.press("Escape")
        page.context.set_offline(True)
        expect(page.locator(".state[data-state=lost]")).to_be_visible()
        message.fill("x" * 1001)
        said[language] = (typing | strings(page)) - before - {"slow 0.5", "5"}
    assert min(map(len, said.values())) >= 5
    for one, other in combinations(said.values(), 2):
        assert one & other == set()


@pytest.mark.parametrize(
    ("locale", "language"), [("es-MX", "es"), ("fr-CA", "fr"), ("en-GB", "en"), ("de-DE", "en"), ("ja", "en")]
)
def test_the_language_is_the_browsers_or_else_english(
    visit: Visitors, server: Server, locale: str, language: str
) -> None:
    page = visit(server, locale=locale)
    assert page.evaluate("document.documentElement.lang") == language
    hello = {"en": "Hello, I’m Diego", "es": "Hola, soy Diego", "fr": "Bonjour, je suis Diego"}[language]
    expect(page.get_by_role("heading", name=hello)).to_be_visible()
