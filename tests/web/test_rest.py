import asyncio
import json
from typing import Any

import httpx2
import pytest
from httpx2 import Response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from chatbot.bot.lessons import MOST_LESSONS
from chatbot.messages import BUSY, MAX_CHARACTERS, TOO_FAST, NotNow
from chatbot.web import rest
from chatbot.web.commands import FORGOTTEN, NO_TURNS
from chatbot.web.rates import Rates
from chatbot.web.rest import INCOMPLETE, MAX_BODY_BYTES, NO_JSON, NO_LESSON, TOO_LARGE, TOO_SLOW
from chatbot.web.threads import Threads
from chatbot.web.wire import MOST_TURNS
from tests.processes import Server
from tests.scale import only_one_process
from tests.tabs import new_cookie, open_tab, receive, send

PATH = "/conversation/history"
LESSONS = "/conversation/lessons"
GOODBYE = (1000, "Diego has forgotten you. Connect again to begin anew.")


def chat(client: TestClient, turns: int) -> None:
    client.get("/")  # the client of the tests takes a cookie from a page, but not from a WebSocket
    with client.websocket_connect("/conversation") as ws:
        for number in range(1, turns + 1):
            ws.send_text(f"message {number}")
            ws.receive_text()


def page(client: TestClient, **parameters: Any) -> tuple[list[int], int | None]:
    """The numbers of the turns of a page, and what to ask for the one before it with."""
    response = client.get(PATH, params=parameters)
    assert response.status_code == 200
    return [turn["seq"] for turn in response.json()["turns"]], response.json()["before"]


def test_a_turn_is_told_with_all_that_is_known_of_it(client: TestClient) -> None:
    chat(client, 1)
    (turn,) = client.get(PATH).json()["turns"]
    assert turn.pop("said_at") > 1_700_000_000
    assert turn == {"seq": 1, "id": None, "prompt": "message 1", "text": "message 1", "confidence": 1.0, "why": ""}


def test_the_newest_page_comes_first_and_each_is_in_order(client: TestClient) -> None:
    chat(client, 7)
    assert page(client, limit=3) == ([5, 6, 7], 5)
    assert page(client, limit=3, before=5) == ([2, 3, 4], 2)
    assert page(client, limit=3, before=2) == ([1], None)
    assert page(client, limit=3, before=1) == ([], None)
    assert page(client, limit=3, before=4) == ([1, 2, 3], None)  # a full page, and nothing before it
    assert page(client) == ([1, 2, 3, 4, 5, 6, 7], None)
    assert page(client, before=10**30) == page(client)


def test_a_page_is_not_longer_than_it_may_be(client: TestClient) -> None:
    chat(client, MOST_TURNS + 1)
    assert page(client, limit=10 * MOST_TURNS) == page(client) == ([*range(2, MOST_TURNS + 2)], 2)


@pytest.mark.parametrize("name", ["before", "limit"])
@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "x", "²", "٣", "1_0", " 1", "9" * 5000])
def test_a_bad_parameter_is_a_400_with_a_sentence(client: TestClient, name: str, value: str) -> None:
    response = client.get(PATH, params={name: value})
    assert response.status_code == 400
    assert response.json() == {"error": f'"{name}" must be a whole number from 1 on.'}


@pytest.mark.parametrize("cookie", ["", "garbage"])
def test_who_brings_no_cookie_has_no_history_and_gets_a_cookie(client: TestClient, cookie: str) -> None:
    chat(client, 1)
    client.cookies.clear()
    response = client.get(PATH, headers={"Cookie": f"diego={cookie}"})
    assert response.json() == {"turns": [], "before": None}
    assert response.headers["set-cookie"].startswith("diego=")
    chat(client, 2)
    assert page(client) == ([1, 2], None)


def test_the_page_at_the_root_gives_the_cookie_too(client: TestClient) -> None:
    client.get("/")
    (cookie,) = client.cookies.jar
    chat(client, 1)
    assert page(client) == ([1], None)
    assert cookie.name == "diego"


def test_everybody_has_a_history_of_their_own(client: TestClient) -> None:
    chat(client, 2)
    mine = dict(client.cookies)
    client.cookies.clear()
    chat(client, 1)
    assert page(client) == ([1], None)
    client.cookies.clear()
    client.cookies.update(mine)
    assert page(client) == ([1, 2], None)


def test_no_cache_may_keep_it(client: TestClient) -> None:
    assert client.get(PATH).headers["cache-control"] == "no-store"


@pytest.mark.server
def test_over_the_websocket_it_is_the_same(server: Server) -> None:
    cookie = new_cookie(server)
    with open_tab(server, cookie) as tab:
        for number in range(3):
            send(tab, type="message", text=f"message {number}", id=str(number))
            receive(tab)
            receive(tab)
        for fields, query in (({}, ""), ({"limit": 2}, "?limit=2"), ({"limit": 2, "before": 2}, "?limit=2&before=2")):
            send(tab, type="history", **fields)
            shown = server.get(PATH + query, Cookie=cookie).json()
            assert receive(tab) == {"type": "history", **shown}


def teach(client: TestClient, prompt: str, reply: str) -> Response:
    return client.post(LESSONS, json={"prompt": prompt, "reply": reply})


def taught(client: TestClient) -> list[tuple[int, str, str]]:
    response = client.get(LESSONS)
    assert response.status_code == 200
    assert [*response.json()] == ["lessons"]
    return [(lesson["number"], lesson["prompt"], lesson["reply"]) for lesson in response.json()["lessons"]]


def test_what_is_taught_is_listed_and_taken_back_by_its_number(client: TestClient) -> None:
    for number, prompt in enumerate(("Ping", "Pang", "Pong"), 1):
        response = teach(client, prompt, f" {prompt}! ")
        assert response.status_code == 201
        assert response.json() == {"number": number, "prompt": prompt, "reply": f"{prompt}!"}
    assert taught(client) == [(1, "Ping", "Ping!"), (2, "Pang", "Pang!"), (3, "Pong", "Pong!")]
    response = client.delete(f"{LESSONS}/2")
    assert response.status_code == 200
    assert response.json() == {"number": 2, "prompt": "Pang", "reply": "Pang!"}
    assert taught(client) == [(1, "Ping", "Ping!"), (2, "Pong", "Pong!")]


def test_a_lesson_in_the_place_of_another_is_told_with_its_own_number(client: TestClient) -> None:
    teach(client, "Ping", "one")
    teach(client, "Pang", "two")
    assert teach(client, "ping", "three").json()["number"] == 2
    assert taught(client) == [(1, "Pang", "two"), (2, "ping", "three")]


def test_it_is_what_the_commands_of_the_websocket_know(client: TestClient) -> None:
    teach(client, "Ping", "Pong!")
    with client.websocket_connect("/conversation") as ws:
        ws.send_text("/lessons")
        assert ws.receive_text() == "1. Ping => Pong!"
        ws.send_text("/unteach 1")
        ws.receive_text()
    assert taught(client) == []


@pytest.mark.parametrize("number", ["0", "2", "10", "9" * 99])
def test_a_lesson_that_there_is_not_is_a_404_with_a_sentence(client: TestClient, number: str) -> None:
    teach(client, "Ping", "Pong!")
    response = client.delete(f"{LESSONS}/{number}")
    assert response.status_code == 404
    assert response.json()["error"].startswith(f"There is no lesson {number}. ")
    assert len(taught(client)) == 1


@pytest.mark.parametrize("number", ["-1", "1.0", "x", "²", "٣", "1_0", " 1", "%00", "%ff", "9" * 5000])
def test_what_is_no_number_of_a_lesson_is_a_404(client: TestClient, number: str) -> None:
    teach(client, "Ping", "Pong!")
    response = client.delete(f"{LESSONS}/{number}")
    assert response.status_code == 404
    assert response.json()["error"].startswith(f"There is nothing at {LESSONS}/")
    assert len(taught(client)) == 1


def post(client: TestClient, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
    response = client.post(LESSONS, content=body, headers={"Content-Type": kind})
    return response.status_code, response.json()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Ping => Pong!",
        b"[]",
        b"null",
        b'"prompt"',
        b"{}",
        b'{"prompt": "Ping"}',
        b'{"reply": "Pong!"}',
        b'{"prompt": "Ping", "reply": null}',
        b'{"prompt": ["Ping"], "reply": "Pong!"}',
        b'{"prompt": "Ping", "reply": 1}',
        b'{"prompt": "Ping", "reply": "Pong!"',
        b'{"prompt": "Ping", "reply": "Pong!"} {}',
        b'{"prompt": "Ping", "reply": "\xff"}',
        b'\xef\xbb\xbf{"prompt": "Ping", "reply": "Pong!"}',
        '{"prompt": "Ping", "reply": "Pong!"}'.encode("utf-16"),
        b'{"prompt": "Ping", "reply": ' + b"9" * 5000 + b"}",
        b"[" * MAX_BODY_BYTES,
        b'{"prompt":' * (MAX_BODY_BYTES // 10),
    ],
)
def test_a_body_that_is_no_lesson_is_a_400_with_a_sentence(client: TestClient, body: bytes) -> None:
    assert post(client, body) == (400, {"error": NO_LESSON})
    assert taught(client) == []


@pytest.mark.parametrize(("prompt", "reply"), [("", "x"), ("x", " \n"), ("x" * 1001, "x"), ("x", "x" * 1001)])
def test_a_half_that_is_no_message_is_a_400_with_a_sentence(client: TestClient, prompt: str, reply: str) -> None:
    response = teach(client, prompt, reply)
    assert response.status_code == 400
    assert "1 to 1,000 characters" in response.json()["error"]
    assert taught(client) == []


def test_other_fields_are_ignored_and_of_doubled_ones_the_last_counts(client: TestClient) -> None:
    body = b'{"type": "forget", "id": 7, "number": "x", "prompt": 1, "prompt": "Ping", "reply": "\\ud83dPong!"}'
    assert post(client, body) == (201, {"number": 1, "prompt": "Ping", "reply": "Pong!"})


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "text/plain; application/json"]
)
def test_what_another_sites_form_can_send_is_a_415_and_changes_nothing(client: TestClient, kind: str) -> None:
    response = client.post(LESSONS, content=b'{"prompt": "Ping", "reply": "Pong!"}', headers={"Content-Type": kind})
    assert (response.status_code, response.json()) == (415, {"error": NO_JSON})
    assert "set-cookie" not in response.headers  # a browser that sends no cookie with the form would take the new one
    assert taught(client) == []


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_known_by_its_type(client: TestClient, kind: str) -> None:
    assert post(client, b'{"prompt": "Ping", "reply": "Pong!"}', kind)[0] == 201


def test_the_longest_lesson_can_be_taught_however_it_is_written(client: TestClient) -> None:
    text = "\U0001f600" * MAX_CHARACTERS
    body = json.dumps({"prompt": text, "reply": text}).encode()
    assert len(body) > 24 * MAX_CHARACTERS
    assert post(client, body)[0] == 201
    assert taught(client) == [(1, text, text)]


def test_a_body_is_read_no_further_than_it_may_be_long(client: TestClient) -> None:
    assert post(client, b" " * MAX_BODY_BYTES) == (400, {"error": NO_LESSON})
    assert post(client, b" " * (MAX_BODY_BYTES + 1)) == (413, {"error": TOO_LARGE})
    response = client.post(
        LESSONS,
        content=b" " * (MAX_BODY_BYTES + 1),
        headers={"Content-Type": "application/json", "Content-Length": "2"},
    )
    assert response.status_code == 413


def body_in(*messages: Message) -> Request:
    """A request whose body comes in such messages, and after them nothing more."""
    coming = iter(messages)

    async def receive() -> Message:
        for message in coming:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    return Request({"type": "http", "headers": [(b"content-type", b"application/json")]}, receive)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("last", "status", "sentence"),
    [
        ({"type": "http.request", "body": b" " * MAX_BODY_BYTES, "more_body": True}, 413, TOO_LARGE),
        ({"type": "http.disconnect"}, 400, INCOMPLETE),
        ({"type": "http.request", "body": b"", "more_body": True}, 408, TOO_SLOW),
    ],
)
async def test_a_body_that_never_ends_is_waited_for_no_longer_than_that(
    monkeypatch: pytest.MonkeyPatch, last: Message, status: int, sentence: str
) -> None:
    monkeypatch.setattr(rest, "BODY_SECONDS", 0.01 if status == 408 else 60.0)
    request = body_in({"type": "http.request", "body": b"{", "more_body": True}, last)
    with pytest.raises(HTTPException) as refused:
        await rest._taught(request)  # noqa: SLF001
    assert (refused.value.status_code, refused.value.detail) == (status, sentence)
    assert refused.value.headers == ({"Connection": "close"} if status == 408 else None)


def test_a_lesson_too_many_is_a_409_with_a_sentence(client: TestClient) -> None:
    for number in range(MOST_LESSONS):
        assert teach(client, f"prompt {number}", "yes").status_code == 201
    response = teach(client, "one more", "no")
    assert response.status_code == 409
    assert "200 things" in response.json()["error"]
    assert teach(client, "prompt 0", "no").json()["number"] == MOST_LESSONS
    assert len(taught(client)) == MOST_LESSONS


def test_why_is_that_of_the_last_turn(client: TestClient) -> None:
    assert client.get("/conversation/why").json() == {"why": NO_TURNS, "turn": None}
    chat(client, 2)
    shown = client.get("/conversation/why").json()
    assert shown["why"]
    assert shown["turn"] == client.get(PATH).json()["turns"][-1]


def test_an_export_is_a_file_with_all_that_is_known(client: TestClient) -> None:
    chat(client, 2)
    teach(client, "Ping", "¡Pong!")
    response = client.get("/conversation/export")
    assert response.headers["content-disposition"] == 'attachment; filename="diego.json"'
    assert response.headers["content-type"] == "application/json"
    known = response.json()
    assert [turn["prompt"] for turn in known["turns"]] == ["message 1", "message 2"]
    assert [lesson["reply"] for lesson in known["lessons"]] == ["¡Pong!"]
    assert known["visitor"] in response.headers["set-cookie"]


def test_forgetting_erases_all_and_takes_the_cookie_away(client: TestClient) -> None:
    chat(client, 1)
    teach(client, "Ping", "Pong!")
    mine = dict(client.cookies)
    response = client.delete("/conversation")
    assert (response.status_code, response.json()) == (200, {"text": FORGOTTEN})
    assert response.headers.get_list("set-cookie") == ["diego=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"]
    assert dict(client.cookies) == {}
    client.cookies.update(mine)
    again = client.get("/conversation/export")
    known = again.json()
    assert (known["turns"], known["lessons"]) == ([], [])
    assert known["visitor"] not in mine["diego"]
    assert known["visitor"] in again.headers["set-cookie"]


def test_forgetting_closes_the_visitors_tabs_and_nobody_elses(client: TestClient) -> None:
    client.get("/")
    with client.websocket_connect("/conversation") as one, client.websocket_connect("/conversation") as other:
        mine = dict(client.cookies)
        client.cookies.clear()
        client.get("/")
        with client.websocket_connect("/conversation") as somebody:
            client.cookies.clear()
            client.cookies.update(mine)
            assert client.delete("/conversation").status_code == 200
            for tab in (one, other):
                tab.send_text("Hi")  # is answered if the tab is still open
                with pytest.raises(WebSocketDisconnect) as closed:
                    tab.receive_text()
                assert (closed.value.code, closed.value.reason) == GOODBYE
            somebody.send_text("Hi")
            assert somebody.receive_text() == "Hi"


VIEWS = [
    ("GET", LESSONS, 200),
    ("POST", LESSONS, 201),
    ("DELETE", f"{LESSONS}/1", 200),
    ("GET", "/conversation/why", 200),
    ("GET", "/conversation/export", 200),
    ("HEAD", LESSONS, 200),
    ("HEAD", "/conversation/why", 200),
    ("HEAD", "/conversation/export", 200),
    ("DELETE", "/conversation", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), VIEWS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_answers_the_visitor_of_the_cookie_and_no_cache_may_keep_it(
    client: TestClient, method: str, path: str, status: int, slash: str
) -> None:
    teach(client, "Ping", "Pong!")
    response = client.request(method, path + slash, json={"prompt": "Pang", "reply": "!"} if method == "POST" else None)
    assert response.status_code == status
    assert response.headers["cache-control"] == "no-store"
    left = {"POST": 2, "DELETE": 0}.get(method, 1)
    assert len(taught(client)) == left


@pytest.mark.parametrize(("method", "path", "status"), VIEWS[:2] + VIEWS[3:5])
def test_who_brings_no_cookie_is_a_new_visitor_and_gets_one(
    client: TestClient, method: str, path: str, status: int
) -> None:
    teach(client, "Ping", "Pong!")
    client.cookies.clear()
    response = client.request(method, path, json={"prompt": "Pang", "reply": "!"} if method == "POST" else None)
    assert response.status_code == status
    assert [*client.cookies] == ["diego"]
    assert "Ping" not in response.text
    assert [prompt for _, prompt, _ in taught(client)] == (["Pang"] if method == "POST" else [])


@pytest.mark.server
@only_one_process  # another process would not know of it
def test_a_command_waits_for_the_reply_under_way(server: Server) -> None:
    cookie = new_cookie(server)
    with open_tab(server, cookie) as tab:
        send(tab, type="message", text="slow 1")
        assert receive(tab)["type"] == "typing"
        shown = server.get("/conversation/why", Cookie=cookie).json()
        assert receive(tab) == {"type": "reply", **shown["turn"]}


@pytest.mark.server
def test_a_client_that_sends_far_too_much_gets_its_sentence(server: Server) -> None:
    headers = {"Content-Type": "application/json"}
    response = httpx2.post(f"http://{server.address}{LESSONS}", content=b" " * 5_000_000, headers=headers)
    assert (response.status_code, response.json()) == (413, {"error": TOO_LARGE})
    assert "Traceback" not in server.log


@pytest.mark.parametrize("path", ["history", "export"])
def test_what_there_is_no_time_for_is_a_503_that_says_when_to_come_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def refuse(_threads: Threads) -> None:
        raise NotNow(BUSY, 1.2)

    monkeypatch.setattr(Threads, "check_room", refuse)
    response = client.get(f"/conversation/{path}")
    assert (response.status_code, response.json()) == (503, {"error": BUSY.format(2)})
    assert (response.headers["retry-after"], response.headers["cache-control"]) == ("2", "no-store")
    for other in ("lessons", "why"):
        assert client.get(f"/conversation/{other}").status_code == 200


def test_a_request_too_many_is_a_429_before_anything_is_done_for_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_rates: Rates, _visitor: str, _address: str) -> None:
        raise NotNow(TOO_FAST, 3)

    monkeypatch.setattr(Rates, "take", refuse)
    monkeypatch.setattr(Threads, "run", None)
    for method, path in (
        ("GET", "/history"),
        ("GET", "/lessons"),
        ("POST", "/lessons"),
        ("DELETE", "/lessons/1"),
        ("GET", "/why"),
        ("GET", "/export"),
        ("DELETE", ""),
    ):
        response = client.request(method, f"/conversation{path}")
        assert (response.status_code, response.json()) == (429, {"error": TOO_FAST.format(3)})
        assert response.headers["retry-after"] == "3"
        assert "set-cookie" not in response.headers
