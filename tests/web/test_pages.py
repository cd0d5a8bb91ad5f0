import json
import re
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from chatbot.web.pages import HERE
from chatbot.web.texts import LANGUAGES, texts

FILES = sorted(file.name for file in (HERE / "static").iterdir())


class Elements(HTMLParser):
    """The start tags of a page and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.found for key, value in attributes.items() if key == name]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_in_the_language_of_whoever_asks(client: TestClient, language: str) -> None:
    response = client.get("/", headers={"Accept-Language": language})
    assert response.headers["content-language"] == language
    assert "Accept-Language" in response.headers["vary"]
    assert f'<html lang="{language}">' in response.text
    assert f'aria-label="{texts(language)["message"]}"' in response.text
    data = Elements(response.text).attributes("data-texts")
    assert [json.loads(text) for text in data] == [texts(language)]


def test_the_page_makes_who_comes_a_visitor(client: TestClient) -> None:
    response = client.get("/")
    assert response.headers["set-cookie"].startswith("diego=")
    assert response.headers["cache-control"] == "no-store"


def test_the_page_may_run_and_show_nothing_but_the_servers_own_files(client: TestClient) -> None:
    response = client.get("/")
    policy = dict(part.strip().partition(" ")[::2] for part in response.headers["content-security-policy"].split(";"))
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy.values()) <= {"'self'", "'none'"}
    assert {"base-uri", "form-action", "frame-ancestors"} <= policy.keys()  # those default-src says nothing about


def test_the_page_has_no_script_and_no_style_of_its_own(client: TestClient) -> None:
    found = Elements(client.get("/").text)
    assert all(attributes.get("src") for tag, attributes in found.found if tag == "script")
    assert not [tag for tag, attributes in found.found if tag == "style" or "style" in attributes]
    assert not [name for _, attributes in found.found for name in attributes if name.startswith("on")]


def test_all_that_the_page_names_is_there(client: TestClient) -> None:
    page = client.get("/").text
    named = [path for path in re.findall('(?:src|href)="(/[^"]*)"', page) if path.startswith("/static/")]
    assert {path.rpartition("/")[2] for path in named} >= {"chat.js", "page.css", "diego.svg"}
    assert {path: client.get(path).status_code for path in named} == dict.fromkeys(named, 200)


def test_all_modules_are_loaded_at_once(client: TestClient) -> None:
    imported = {
        name
        for file in (HERE / "static").glob("*.js")
        for name in re.findall(r'from "\./(.+)"', file.read_text("utf-8"))
    }
    named = client.get("/").text
    assert {name for name in imported if f'"/static/{name}"' not in named} == set()


def test_without_javascript_the_page_says_how_to_chat(client: TestClient) -> None:
    assert "python client.py ws://testserver/conversation<" in client.get("/").text
    assert "wss://testserver/conversation<" in client.get("https://testserver/?x=1").text


def test_a_hostile_host_stays_text(client: TestClient) -> None:
    response = client.get("/", headers={"Host": 'a"><script>x</script>'})
    assert "<script>x" not in response.text


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_asked_for_again_and_sent_again_only_if_it_has_changed(client: TestClient, file: str) -> None:
    response = client.get(f"/static/{file}")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-cache"
    again = client.get(f"/static/{file}", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")


@pytest.mark.parametrize("path", ["/static/none.js", "/static/", "/static/../app.py", "/static/%2e%2e/pages.py"])
def test_there_is_nothing_but_those_files(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.json()["error"].startswith("There is nothing at /")


def test_an_ordinary_request_to_the_websocket_is_told_what_to_do(client: TestClient) -> None:
    response = client.get("/conversation")
    assert response.status_code == 426
    assert response.headers["upgrade"] == "websocket"
    assert response.json() == {
        "error": "This is a WebSocket. Open ws://testserver/conversation with a WebSocket client, such as client.py."
    }
