import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from chatbot.bot.diary import Diary
from chatbot.bot.lessons import MOST_LESSONS, Lessons
from chatbot.messages import APOLOGY, RefusedMessage
from chatbot.web import commands
from chatbot.web.commands import FORGOTTEN, NO_LESSONS, NO_RECEIPT, NO_TURNS, STILL_USED, carry_out, read_command
from chatbot.web.cookies import Cookies
from chatbot.web.wire import COMMANDS, JSON, Command, Message
from providerconf import providers
from tests.diaries import ANN, diary_in, say

KEY = "a key of the tests"


@pytest.fixture
def diary(tmp_path: Path) -> Iterator[Diary]:
    with closing(diary_in(tmp_path)) as diary:
        yield diary


def do(diary: Diary, text: str) -> tuple[str, str, dict[str, Any]]:
    """The type, text and fields of the event for a command of Ann's."""
    command = read_command(Message(text, "its id"))
    assert command is not None
    event = carry_out(diary, ANN, command)
    assert event.fields.pop("id") == "its id"
    return event.type, event.text, event.fields


@pytest.mark.parametrize(
    "text",
    ["teach me", "/", "//", "/ help", "/usr/bin is a folder", "1/2", "/2", "a /why", "/-)", "http://x/why", "=>"],
)
def test_what_only_looks_like_a_command_is_a_message(text: str) -> None:
    assert read_command(Message(text)) is None


@pytest.mark.parametrize("text", ["/forgett", "/quit", "/why?", "/Teaching a => b"])
def test_an_unknown_command_gets_a_sentence_with_those_there_are(text: str) -> None:
    if text == "/why?":
        assert read_command(Message(text)) is None
        return
    with pytest.raises(RefusedMessage) as refused:
        read_command(Message(text))
    assert all(f"/{name}" in str(refused.value) for name in COMMANDS)


@pytest.mark.parametrize(
    ("text", "usage"),
    [
        ("/teach", "/teach What you say => What I answer"),
        ("/teach ping pong", "/teach What you say => What I answer"),
        ("/unteach", "/unteach 1"),
        ("/unteach all", "/unteach 1"),
        ("/unteach -1", "/unteach 1"),
        ("/unteach ²", "/unteach 1"),
        ("/unteach " + "9" * 900, "/unteach 1"),
        ("/forget about it", "/forget"),
        ("/why not?", "/why"),
    ],
)
def test_a_command_that_is_written_otherwise_does_nothing_and_says_how(text: str, usage: str) -> None:
    with pytest.raises(RefusedMessage, match=f"like this: {usage}$"):
        read_command(Message(text))


def test_the_commands_are_the_same_in_both_wires() -> None:
    assert tuple(commands._KINDS) == COMMANDS  # noqa: SLF001


def test_teaching(diary: Diary) -> None:
    kind, text, fields = do(diary, "/Teach  What's up? =>  The sky => and more\nclouds ")
    reply = "The sky => and more\nclouds"
    assert (kind, fields) == ("taught", {"text": text, "number": 1, "prompt": "What's up?", "reply": reply})
    assert "just for you" in text
    assert [(lesson.prompt, lesson.reply) for lesson in diary.lessons.of(ANN)] == [("What's up?", reply)]


@pytest.mark.parametrize("text", ["/teach => pong", "/teach ping =>", "/teach =>", "/teach \u200b => x"])
def test_both_halves_of_a_lesson_must_be_there(diary: Diary, text: str) -> None:
    with pytest.raises(RefusedMessage, match="1 to 1,000 characters"):
        do(diary, text)
    assert diary.lessons.of(ANN) == []


def test_a_half_that_is_too_long_is_refused(diary: Diary) -> None:
    with pytest.raises(RefusedMessage, match="1 to 1,000 characters"):
        carry_out(diary, ANN, Command("teach", "ping", "x" * 1001))


def test_a_lesson_too_many_is_refused(diary: Diary) -> None:
    for number in range(MOST_LESSONS):
        diary.lessons.teach(ANN, f"prompt {number}", "yes")
    with pytest.raises(RefusedMessage, match="200 things"):
        do(diary, "/teach one more => no")


def test_lessons_are_listed_and_taken_back_by_number(diary: Diary) -> None:
    assert do(diary, "/lessons") == ("lessons", NO_LESSONS, {"text": NO_LESSONS, "lessons": []})
    for prompt in ("ping", "pang", "<b>"):
        do(diary, f"/teach {prompt} => {prompt}!")
    assert do(diary, "/lessons")[1] == "1. ping => ping!\n2. pang => pang!\n3. <b> => <b>!"
    kind, text, fields = do(diary, "/unteach 2")
    assert (kind, fields) == ("untaught", {"text": text, "number": 2, "prompt": "pang", "reply": "pang!"})
    assert do(diary, "/lessons")[2]["lessons"] == [
        {"number": 1, "prompt": "ping", "reply": "ping!"},
        {"number": 2, "prompt": "<b>", "reply": "<b>!"},
    ]
    with pytest.raises(RefusedMessage, match="^There is no lesson 3. /lessons shows those that there are.$"):
        do(diary, "/unteach 3")


def test_why_is_the_receipt_of_the_last_turn(diary: Diary) -> None:
    assert do(diary, "/why") == ("why", NO_TURNS, {"text": NO_TURNS, "turn": None})
    say(diary, ANN, "Hi", why="the first")
    say(diary, ANN, "What is AI?", why="the same prompt\nin 0.1 ms")
    kind, text, fields = do(diary, "/why")
    assert (kind, text) == ("why", "the same prompt\nin 0.1 ms")
    assert (fields["turn"]["seq"], fields["turn"]["prompt"], fields["turn"]["why"]) == (2, "What is AI?", text)
    say(diary, ANN, "Hi", why="")
    assert do(diary, "/why")[1] == NO_RECEIPT


def test_an_export_is_all_that_is_known_as_json(diary: Diary) -> None:
    diary.call(ANN, "Zoë")
    say(diary, ANN, "Hi")
    do(diary, "/teach ping => pong")
    kind, text, _fields = do(diary, "/export")
    assert kind == "export"
    assert json.loads(text) == diary.export(ANN)
    assert "Zoë" in text


def test_forgetting_erases_all(diary: Diary) -> None:
    say(diary, ANN, "Hi")
    do(diary, "/teach ping => pong")
    assert do(diary, "/forget") == ("forgotten", FORGOTTEN, {"text": FORGOTTEN})
    assert diary.export(ANN) == {"visitor": ANN, "name": None, "lessons": [], "turns": [], "room": []}


def test_it_is_said_when_traces_stay_for_a_while(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    say(diary, ANN, "Hi")
    monkeypatch.setattr(diary.forgotten, "wipe", lambda: False)
    assert do(diary, "/forget")[1] == STILL_USED


def test_help_explains_every_command(diary: Diary) -> None:
    kind, text, fields = do(diary, "/help")
    assert kind == "help"
    assert len(text.splitlines()) == len(fields["commands"]) == len(COMMANDS)
    for name, line in zip(COMMANDS, text.splitlines(), strict=True):
        assert line.startswith(f"/{name}")


# From here on through the app, with an echo in Diego's place.


@pytest.fixture
def cookie() -> Iterator[dict[str, str]]:
    """The header that makes a client Ann."""
    cookies = Cookies([KEY])
    with providers.override(cookies=lambda: cookies):
        yield {"cookie": f"diego={cookies._signer.sign(ANN).decode()}"}  # noqa: SLF001


def tab(client: TestClient, cookie: dict[str, str], *, rich: bool = False) -> WebSocketTestSession:
    return client.websocket_connect("/conversation", [JSON] if rich else None, headers=cookie)


def visitor(ws: WebSocketTestSession) -> str:
    """Whose tab it is."""
    ws.send_text("/export")
    return str(json.loads(ws.receive_text())["visitor"])


def answer(ws: WebSocketTestSession, text: str) -> str:
    ws.send_text(text)
    return ws.receive_text()


def event(ws: WebSocketTestSession, **frame: object) -> dict[str, Any]:
    """What comes back, but for `typing`."""
    ws.send_json(frame)
    while (received := ws.receive_json())["type"] == "typing":
        pass
    return dict(received)


@pytest.mark.usefixtures("cookie")
def test_commands_work_on_the_plain_wire_and_are_no_turns(cookie: dict[str, str], client: TestClient) -> None:
    with tab(client, cookie) as ws:
        assert answer(ws, "/why") == NO_TURNS
        assert "ping => pong" in answer(ws, "/teach ping => pong")
        assert answer(ws, "/lessons") == "1. ping => pong"
        assert "There is no command /teech" in answer(ws, "/teech ping => pong")
        assert answer(ws, "Hi") == "Hi"
        assert answer(ws, "/why") == NO_RECEIPT
        known = json.loads(answer(ws, "/export"))
    assert [turn["prompt"] for turn in known["turns"]] == ["Hi"]
    assert known["visitor"] == ANN


def test_commands_have_frames_and_events_of_their_own_in_json(cookie: dict[str, str], client: TestClient) -> None:
    with tab(client, cookie, rich=True) as ws:
        taught = event(ws, type="teach", prompt="ping", reply="pong", id="t1")
        assert (taught["type"], taught["id"], taught["prompt"], taught["reply"]) == ("taught", "t1", "ping", "pong")
        assert event(ws, type="lessons")["lessons"] == [{"number": 1, "prompt": "ping", "reply": "pong"}]
        assert event(ws, type="unteach", number=1)["type"] == "untaught"
        assert event(ws, type="unteach", number=1)["type"] == "error"
        assert event(ws, type="message", text="Hi", id="m1")["type"] == "reply"
        assert event(ws, type="why")["turn"]["id"] == "m1"
        assert event(ws, type="export")["data"]["turns"][0]["prompt"] == "Hi"
        assert event(ws, type="help")["commands"]
        assert event(ws, type="message", text="/lessons", id="m2") == {
            "type": "lessons",
            "id": "m2",
            "text": NO_LESSONS,
            "lessons": [],
        }
        refused = event(ws, type="message", text="/teech", id="m3")
        assert (refused["type"], refused["id"]) == ("error", "m3")


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"type": "teach", "prompt": "ping"}, '"reply"'),
        ({"type": "teach", "prompt": 1, "reply": "pong"}, '"prompt"'),
        ({"type": "teach", "prompt": "", "reply": "pong"}, "1 to 1,000 characters"),
        ({"type": "teach", "prompt": "x" * 1001, "reply": "pong"}, "1 to 1,000 characters"),
        ({"type": "unteach", "number": "1"}, '"number"'),
        ({"type": "unteach"}, 'An unteach must have a "number".'),
        ({"type": "unteach", "number": None}, 'An unteach must have a "number".'),
        ({"type": "why", "id": 7}, '"id"'),
        ({"type": "teech"}, '"teach"'),
        ({"type": ["teach"]}, '"teach"'),
    ],
)
def test_a_frame_with_something_wrong_gets_a_sentence(
    cookie: dict[str, str], client: TestClient, frame: dict[str, object], words: str
) -> None:
    with tab(client, cookie, rich=True) as ws:
        received = event(ws, **frame)
    assert received["type"] == "error"
    assert words in received["text"]


def test_a_database_that_fails_is_an_apology_and_a_traceback_in_the_log(
    cookie: dict[str, str], client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))

    monkeypatch.setattr(Lessons, "teach", fail)
    with tab(client, cookie, rich=True) as ws:
        failed = event(ws, type="teach", prompt="ping", reply="pong", id="t1")
    assert failed == {"type": "error", "id": "t1", "text": APOLOGY}
    assert "disk I/O error" in caplog.text


def closed(ws: WebSocketTestSession) -> tuple[int, str]:
    with pytest.raises(WebSocketDisconnect) as ending:
        ws.receive_text()
    return ending.value.code, ending.value.reason


GOODBYE = (1000, "Diego has forgotten you. Connect again to begin anew.")


def test_who_is_forgotten_is_told_in_all_tabs_and_comes_again_as_somebody_new(
    cookie: dict[str, str], client: TestClient, tmp_path: Path
) -> None:
    with tab(client, cookie) as one, tab(client, cookie) as other:
        assert answer(one, "I like tiramisu") == "I like tiramisu"
        answer(one, "/teach tiramisu => yes")
        one.send_text("/forget")
        one.send_text("more tiramisu")
        assert one.receive_text() == FORGOTTEN
        assert closed(one) == GOODBYE
        assert closed(other) == GOODBYE
    assert not any(b"tiramisu" in file.read_bytes() for file in tmp_path.glob("diego.db*"))
    with tab(client, cookie) as again:
        assert visitor(again) != ANN
        assert answer(again, "/lessons") == NO_LESSONS


def test_a_tab_of_a_forgotten_visitor_gets_a_cookie_with_another_number(
    cookie: dict[str, str], client: TestClient
) -> None:
    with tab(client, cookie) as ws:
        answer(ws, "Hi")
        assert answer(ws, "/forget") == FORGOTTEN
    with tab(client, cookie) as ws:
        headers: dict[bytes, bytes] = dict(ws.extra_headers or [])
        assert ANN not in headers[b"set-cookie"].decode()
        mine = visitor(ws)
        assert mine in headers[b"set-cookie"].decode()


def test_a_tab_that_came_while_its_visitor_was_forgotten_is_closed(cookie: dict[str, str], client: TestClient) -> None:
    async def still_known(cookies: Cookies) -> str:  # noqa: ARG001 - as of the provider
        return ANN

    with providers.override(visitor_id=still_known), tab(client, cookie) as one:
        answer(one, "Hi")
        assert answer(one, "/forget") == FORGOTTEN
        with tab(client, cookie) as other:
            assert closed(other) == GOODBYE


def test_who_has_said_nothing_is_forgotten_without_writing_anything(
    diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diary, "forget", lambda _: pytest.fail("There is nothing to forget."))
    assert do(diary, "/forget") == ("forgotten", FORGOTTEN, {"text": FORGOTTEN})
    assert diary.forgotten.count() == 0


def test_the_tabs_of_who_has_said_nothing_are_closed_too(cookie: dict[str, str], client: TestClient) -> None:
    with tab(client, cookie) as one, tab(client, cookie) as other:
        assert answer(one, "/forget") == FORGOTTEN
        assert closed(one) == closed(other) == GOODBYE
    with tab(client, cookie) as again:
        assert answer(again, "Hi") == "Hi"
