"""That the tests in a browser notice what goes wrong in a page."""

from functools import partial

import pytest
from playwright.sync_api import Browser, Route

from tests.browsers import Visitors, needs_package, violations
from tests.processes import Server, wait_for

pytestmark = pytest.mark.server

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src *; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEAD = "<!doctype html><html lang=en><title>A page</title>"
HARMLESS = f"{HEAD}<main><h1>A page</h1></main>"
WRONG = f"{HEAD}<link rel=stylesheet href=/style><main><h1>A page</h1><button></button></main>"
STYLE = "@media (prefers-color-scheme: dark) { h1 { color: #eeeeee; } }"
SCRIPT = "<script src=/script></script>"


def answer(html: str, script: str, route: Route) -> None:
    """What a server would send."""
    if route.request.url.endswith("/page"):
        route.fulfill(body=html, content_type="text/html", headers={"Content-Security-Policy": POLICY})
    elif route.request.url.endswith("/script"):
        route.fulfill(body=script, content_type="text/javascript")
    elif route.request.url.endswith("/style"):
        route.fulfill(body=STYLE, content_type="text/css")
    else:
        route.fulfill(status=500)


def problems(browser: Browser, server: Server, html: str, script: str, expected: str) -> list[str]:
    """What is noted in a visit of that page."""
    visit = Visitors(browser)
    visit.expect(expected)
    page = visit(server, "about:blank")  # of a page of the server's, a picture may come later
    page.route("**", partial(answer, html, script))
    page.goto("/page")
    wait_for(lambda: page.evaluate("window.done"))
    return visit.close()


@pytest.mark.parametrize(
    ("problem", "html", "script"),
    [
        ("console: as asked for", SCRIPT, "console.error('as asked for'); done = true"),
        ("script: as asked for", SCRIPT, "done = true; throw Error('as asked for')"),
        ("script: as asked for", SCRIPT, "done = true; Promise.reject(Error('as asked for'))"),
        ("Content Security Policy", f"<p onclick='1'>{SCRIPT}", "done = true"),
        ("requires 'TrustedHTML'", SCRIPT, "done = true; document.body.innerHTML = '<b>'"),
        ("status of 500", SCRIPT, "fetch('/other').finally(() => (done = true))"),
        ("asked: http://elsewhere.test/", SCRIPT, "fetch('http://elsewhere.test').finally(() => (done = true))"),
        ("asked: ws://elsewhere.test/", SCRIPT, "new WebSocket('ws://elsewhere.test').onerror = () => (done = true)"),
    ],
)
def test_what_goes_wrong_is_noted_unless_it_is_expected(
    browser: Browser, server: Server, problem: str, html: str, script: str
) -> None:
    assert any(problem in noted for noted in problems(browser, server, HARMLESS + html, script, "$^"))
    assert problems(browser, server, HARMLESS + html, script, ".") == []


def test_nothing_is_noted_where_all_is_well(browser: Browser, server: Server) -> None:
    assert problems(browser, server, HARMLESS + SCRIPT, "done = true", "$^") == []


@needs_package("axe-core")
def test_what_axe_finds_is_listed_in_spite_of_a_strict_policy(visit: Visitors, server: Server) -> None:
    page = visit(server, "about:blank")
    for html, found in (
        (HARMLESS, set()),
        (WRONG, {"button-name, light", "button-name, dark", "color-contrast, dark"}),
    ):
        page.route("**", partial(answer, html, ""))
        page.goto("/page")
        assert {violation.partition(":")[0] for violation in violations(page)} == found
