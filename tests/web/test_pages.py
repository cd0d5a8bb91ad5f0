import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chatbot.web import pages
from chatbot.web.pages import HERE
from chatbot.web.texts import LANGUAGES, texts

PAGES = ("/", "/room")
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


@pytest.mark.parametrize("path", PAGES)
def test_a_page_makes_who_comes_a_visitor(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.headers["set-cookie"].startswith("diego=")
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_run_and_show_nothing_but_the_servers_own_files(client: TestClient, path: str) -> None:
    response = client.get(path)
    policy = dict(part.strip().partition(" ")[::2] for part in response.headers["content-security-policy"].split(";"))
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy.values()) <= {"'self'", "'none'"}
    assert {"base-uri", "form-action", "frame-ancestors"} <= policy.keys()  # those default-src says nothing about


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_script_and_no_style_of_its_own(client: TestClient, path: str) -> None:
    found = Elements(client.get(path).text)
    assert all(attributes.get("src") for tag, attributes in found.found if tag == "script")
    assert not [tag for tag, attributes in found.found if tag == "style" or "style" in attributes]
    assert not [name for _, attributes in found.found for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("path", PAGES)
def test_all_that_a_page_names_is_there(client: TestClient, path: str) -> None:
    named = re.findall('(?:src|href)="(/(?:static|socket.io)/[^"]*)"', client.get(path).text)
    assert named
    assert {file: client.get(file).status_code for file in named} == dict.fromkeys(named, 200)


@pytest.mark.parametrize(("path", "module"), [("/", "chat.js"), ("/room", "room.js")])
def test_the_modules_of_a_page_are_all_asked_for_at_once(client: TestClient, path: str, module: str) -> None:
    needed, found = {module}, {module}
    while found:
        text = "".join((HERE / "static" / name).read_text(encoding="utf-8") for name in found)
        found = set(re.findall(r'from "\./(.+)"', text)) - needed
        needed |= found
    assert set(re.findall('"/static/(.+?[.]js)"', client.get(path).text)) == needed


def test_the_browsers_part_of_socket_io_is_the_one_that_npm_installed(client: TestClient) -> None:
    response = client.get("/socket.io/socket.io.js")
    assert response.content == pages.SOCKET_IO.read_bytes()
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["cache-control"] == "no-cache"


def test_without_it_the_room_says_what_is_missing_and_the_rest_works(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SOCKET_IO", Path("/nowhere"))
    page = client.get("/room").text
    assert "npm ci --omit=dev" in page
    assert "<script" not in page
    response = client.get("/socket.io/socket.io.js")
    assert response.status_code == 404
    assert "npm ci" in response.json()["error"]
    assert client.get("/").status_code == 200


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


@pytest.mark.parametrize("path", [*PAGES, "/static/page.css", "/socket.io/socket.io.js"])
def test_a_page_and_its_files_are_compressed_for_those_who_can_read_that(client: TestClient, path: str) -> None:
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    compressed = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert int(compressed.headers["content-length"]) < len(plain.content) / 2
    assert "content-encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["vary"]
