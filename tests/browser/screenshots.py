"""Takes the pictures in docs/screenshots anew: a real Diego, real conversations. `make screenshots` runs it."""

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.chat import log, state, type_and_send
from tests.browsers import PROGRAMS, SCHEMES, Visitors, browsing, find_browser
from tests.nginx import ROOT
from tests.processes import DIEGO, Server, serving
from tests.tabs import new_cookie, open_plain_tab

FOLDER = ROOT / "docs/screenshots"
WINDOWS = {"phone": ViewportSize(width=390, height=844), "desktop": ViewportSize(width=1280, height=800)}

CHAT = ("My name is Ana.", "How far is 26 miles in km?", "When I say ping, answer pong", "ping")
ROOM = (
    ("Ana", "Has anybody been to the museum?"),
    ("Ben", "Yes, on Sunday. It was lovely!"),
    ("Ben", "@diego What time is it in Tokyo?"),
    ("Ana", "Too late to ring Mika, then."),
)
TOKEN = "the-token-of-the-pictures"
ASKED = (
    ("Do you deliver to Lisbon?", "How much is a day ticket?", "/teach Where are you? => At the end of Station Road."),
    ("do you deliver to lisbon", "May I bring my dog to the museum?"),
    ("How much is a day ticket", "Do you deliver to Lisbon??"),
)


def chat(visit: Visitors, server: Server) -> Page:
    """The page that chats, with a conversation."""
    page = visit(server)
    for number, text in enumerate(CHAT, 1):
        type_and_send(page, text)
        expect(log(page).locator(".turn[data-seq]")).to_have_count(number)
    return page


def room(visit: Visitors, server: Server) -> Page:
    """The page of the room, with a few people."""
    pages = {name: visit(server, "/room") for name in ("Ana", "Ben", "Chloé")}
    for name, page in pages.items():
        page.get_by_role("textbox", name="Your name").fill(name)
        page.get_by_role("button", name="Join").click()
        expect(state(page)).to_have_text("Connected")
    said = log(pages["Ana"]).locator(".room-message[data-number]")
    for name, text in ROOM:
        before = said.count()
        type_and_send(pages[name], text)
        expect(said).to_have_count(before + (2 if "@diego" in text else 1))
    return pages["Ana"]


def insights(visit: Visitors, server: Server) -> Page:
    """The page for operators, after some have asked what Diego does not know."""
    for texts in ASKED:
        with open_plain_tab(server, new_cookie(server)) as tab:
            for text in texts:
                tab.send(text)
                tab.recv()
    page = visit(server, "/insights")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("[data-chart=clients] path")).to_have_attribute("d", re.compile("M.*L.*L"))
    expect(page.locator("[data-list=doubtful] .number")).not_to_be_empty()
    return page


def take(page: Page, folder: Path, name: str) -> None:
    """Take the pictures of a page: on a phone and a desktop, light and dark."""
    for window, size in WINDOWS.items():
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.screenshot(path=folder / f"{name}-{window}-{scheme}.png")


def take_all(visit: Visitors, server: Server, folder: Path) -> None:
    """Take the pictures of all pages."""
    take(chat(visit, server), folder, "chat")
    take(room(visit, server), folder, "room")
    take(insights(visit, server), folder, "insights")


def main() -> None:
    """Take them with Diego as he is when he is new."""
    program = find_browser()
    if program is None:
        sys.exit(f"The pictures are taken with one of {', '.join(PROGRAMS)}. Install one of them.")
    with (
        browsing(program) as browser,
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), *DIEGO, DIEGO_ADMIN_TOKEN=TOKEN) as server,
    ):
        visit = Visitors(browser)
        take_all(visit, server, FOLDER)
        if problems := visit.close():
            sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
