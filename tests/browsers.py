"""Real browsers: what people see of the pages, and what goes wrong there."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.nginx import ROOT
from tests.processes import Server
from tests.scale import IS_SCALED

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE = ROOT / "node_modules/axe-core/axe.min.js"
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def needs_package(name: str) -> pytest.MarkDecorator:
    """Skips the test where npm has not installed that package; in CI it then fails."""
    missing = not (ROOT / "node_modules" / name).exists() and os.environ.get("CI") != "true"
    return pytest.mark.skipif(missing, reason=f"there is no package {name} here; npm ci installs it")


class Visitors:
    """Visitors with a browser context each, so that they share no cookies. What goes wrong in their pages is noted."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._problems: list[str] = []
        self._expected: list[str] = []

    def __call__(self, server: Server, path: str = "/", **options: Any) -> Page:
        """The page of a new visitor, who has these options of a browser context."""
        context = self._browser.new_context(base_url=f"http://{server.address}", **options)
        self._contexts.append(context)
        self._watch(context, server.address)
        page = context.new_page()
        page.goto(path)
        return page

    def expect(self, pattern: str) -> None:
        """Problems in which this regular expression is found are part of the test."""
        self._expected.append(pattern)

    def close(self) -> list[str]:
        """Close all; the problems that were not expected."""
        for context in self._contexts:
            context.close()
        return [problem for problem in self._problems if not any(re.search(one, problem) for one in self._expected)]

    def _watch(self, context: BrowserContext, address: str) -> None:
        """Note what asks another origin, what scripts throw, and what the browser complains of in the console.

        It complains of what the Content-Security-Policy forbids, and of errors of the server.
        """

        def logged(message: ConsoleMessage) -> None:
            is_away = IS_SCALED and "status of 503" in message.text  # nobody is behind nginx
            if message.type in ("error", "warning") and not is_away:
                self._problems.append(f"console: {message.text} ({message.location['url']})")

        def asked(request: Request) -> None:
            opened(request.url)

        def opened(url: str) -> None:
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != address:
                self._problems.append(f"another origin was asked: {url}")

        context.on("console", logged)
        context.on("weberror", lambda error: self._problems.append(f"script: {error.error}"))
        context.on("request", asked)
        context.on("page", lambda page: page.on("websocket", lambda ws: opened(ws.url)))


def find_browser() -> str | None:
    """The program of the browser of this machine."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def browsing(program: str) -> Iterator[Browser]:
    """The browser, running. Playwright's own is never used."""
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program) as browser:
        yield browser


def violations(page: Page) -> list[str]:
    """What axe-core, the checker of accessibility, has against the page as it is shown now, light and dark."""
    page.evaluate(AXE.read_text())
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for rule in page.evaluate("rules => axe.run({ runOnly: rules })", RULES)["violations"]:
            found += [
                f"{rule['id']}, {scheme}: {rule['help']}\n{node['html']}\n{node['failureSummary']}"
                for node in rule["nodes"]
            ]
    return found
