import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from app import app
from chatbot.bot.diary import Diary
from chatbot.bot.storage import KnowledgeStorage
from chatbot.web import insights
from chatbot.web.history import History, Point
from chatbot.web.operators import SIGN_IN, WRONG
from chatbot.web.pages import HERE
from chatbot.web.rest import MAX_BODY_BYTES, NO_JSON
from tests.databases import only_sqlite, url_in
from tests.diaries import ANN, BOB, ask

TOKEN = "the-token-of-the-tests"
VIEWS = [
    ("GET", "/insights/numbers"),
    ("GET", "/insights/unanswered"),
    ("GET", "/insights/doubtful"),
    ("GET", "/insights/lessons"),
    ("POST", "/insights/lessons/1"),
    ("POST", "/insights/answers"),
    ("POST", "/insights/dismissals"),
]
BODIES = {
    "/insights/session": ({"token": TOKEN}, insights.NOT_SIGNING_IN),
    "/insights/answers": ({"prompt": "What's up?", "reply": "The sky."}, insights.NO_ANSWER),
    "/insights/dismissals": ({"prompt": "What's up?"}, insights.NO_PROMPT),
    "/insights/lessons/1": ({"decision": "approve"}, insights.NO_DECISION),
}


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Who has not signed in where there is a token."""
    monkeypatch.setenv("DIEGO_DATABASE_URL", url_in(tmp_path))
    monkeypatch.setenv("DIEGO_ADMIN_TOKEN", TOKEN)
    with TestClient(app) as client:
        yield client


@pytest.fixture
def operator(stranger: TestClient) -> TestClient:
    """Who has."""
    assert stranger.post("/insights/session", json={"token": TOKEN}).status_code == 204
    return stranger


@pytest.fixture
def diary(tmp_path: Path, stranger: TestClient) -> Iterator[Diary]:  # noqa: ARG001 - its server makes the database
    """What is kept of visitors, as another process sees it."""
    with closing(Diary(url_in(tmp_path, "diego.db.visitors"))) as diary:
        yield diary


def pairs(folder: Path) -> list[tuple[str, str, str]]:
    """What Diego was trained on."""
    with closing(KnowledgeStorage(database_uri=url_in(folder))) as storage:
        return [(pair.prompt, pair.reply, pair.source) for pair in storage.pairs()]


def prompts(client: TestClient, path: str) -> list[str]:
    response = client.get(path)
    assert response.status_code == 200
    return [question["prompt"] for question in response.json()["questions"]]


@pytest.mark.parametrize(
    ("method", "path"), [*VIEWS, ("GET", "/insights"), ("POST", "/insights/session"), ("PUT", "/insights/answers")]
)
def test_without_a_token_there_is_nothing(client: TestClient, method: str, path: str) -> None:
    response = client.request(method, path, headers={"Authorization": "Bearer "})
    assert response.status_code == 404
    assert response.json() == {"error": f"There is nothing at {path}."}


@pytest.mark.parametrize(("method", "path"), VIEWS)
def test_a_stranger_is_shown_nothing_and_changes_nothing(
    stranger: TestClient, diary: Diary, tmp_path: Path, method: str, path: str
) -> None:
    diary.lessons.teach(ANN, "ping", "pong")
    body = json.dumps(BODIES.get(path, ({},))[0])
    for headers, sentence in (({}, SIGN_IN), ({"Authorization": "Bearer wrong"}, WRONG)):
        response = stranger.request(method, path, content=body, headers={"Content-Type": "application/json", **headers})
        assert (response.status_code, response.json()) == (401, {"error": sentence})
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["cache-control"] == "no-store"
    assert len(diary.lessons.undecided()) == 1
    assert pairs(tmp_path) == []


@pytest.mark.parametrize(("method", "path"), [*VIEWS, ("GET", "/insights")])
def test_no_cache_keeps_what_an_operator_gets(operator: TestClient, diary: Diary, method: str, path: str) -> None:
    diary.lessons.teach(ANN, "ping", "pong")
    response = operator.request(method, path, json=BODIES[path][0] if path in BODIES else None)
    assert response.status_code < 300
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers


def test_a_script_needs_no_cookie(stranger: TestClient) -> None:
    response = stranger.get("/insights/lessons", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (response.status_code, response.json()) == (200, {"lessons": [], "count": 0})


def test_signing_in_and_out(stranger: TestClient) -> None:
    assert 'src="/static/sign-in.js"' in stranger.get("/insights").text
    response = stranger.post("/insights/session", json={"token": "wrong"})
    assert (response.status_code, response.json()) == (401, {"error": WRONG})
    assert "set-cookie" not in response.headers
    response = stranger.post("/insights/session", json={"token": TOKEN})
    assert (response.status_code, response.content) == (204, b"")
    assert "HttpOnly; SameSite=Strict" in response.headers["set-cookie"]
    assert 'src="/static/insights.js"' in stranger.get("/insights").text
    assert stranger.delete("/insights/session").status_code == 204
    assert 'src="/static/sign-in.js"' in stranger.get("/insights").text
    assert stranger.get("/insights/lessons").status_code == 401


def test_wrong_tokens_are_limited_and_the_cookie_goes_on(operator: TestClient) -> None:
    tokens = [f"wrong {number}" for number in range(6)]
    statuses = [operator.post("/insights/session", json={"token": token}).status_code for token in tokens]
    assert statuses == [401] * 5 + [429]
    response = operator.get("/insights/lessons", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert operator.get("/insights/lessons").status_code == 200


def test_the_token_is_in_no_log_and_no_page(stranger: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        stranger.post("/insights/session", json={"token": f"{TOKEN}, but wrong"})
        stranger.get("/insights/lessons", headers={"Authorization": f"Bearer {TOKEN}"})
        stranger.post("/insights/session", json={"token": TOKEN})
        text = stranger.get("/insights").text
    assert caplog.text
    assert TOKEN not in caplog.text + text


def test_the_questions_are_told_and_nothing_of_who_asked(operator: TestClient, diary: Diary) -> None:
    ask(diary, ANN, "What's up?", said_at=1e9)
    ask(diary, ANN, "What's up?")
    ask(diary, BOB, "whats up")
    ask(diary, BOB, "Nearly", kind="known", confidence=0.6, reply="Almost", why="near")
    response = operator.get("/insights/unanswered")
    (question,) = response.json()["questions"]
    assert len(question.pop("id")) == 64
    assert question.pop("asked_at") > 1.7e9
    assert question == {
        "prompt": "whats up",
        "reply": "I do not know.",
        "confidence": 0.0,
        "why": "",
        "visitors": 2,
        "times": 2,
    }
    doubtful = operator.get("/insights/doubtful")
    (nearly,) = doubtful.json()["questions"]
    assert (nearly["prompt"], nearly["reply"], nearly["confidence"], nearly["why"]) == ("Nearly", "Almost", 0.6, "near")
    for visitor in (ANN, BOB):
        assert visitor not in response.text + doubtful.text


def test_what_is_answered_is_knowledge_and_no_question_any_more(
    operator: TestClient, diary: Diary, tmp_path: Path
) -> None:
    ask(diary, ANN, "What's up?", "Where is it?")
    ask(diary, ANN, "Nearly", kind="known", confidence=0.6)
    response = operator.post("/insights/answers", json={"prompt": " What's up? ", "reply": "The sky.\r\n"})
    assert response.status_code == 201
    source = response.json()["source"]
    assert response.json() == {"source": source, "prompt": "What's up?", "reply": "The sky."}
    operator.post("/insights/answers", json={"prompt": "Nearly", "reply": "Exactly."})
    assert pairs(tmp_path)[0] == ("What's up?", "The sky.", source)
    assert prompts(operator, "/insights/unanswered") == ["Where is it?"]
    assert prompts(operator, "/insights/doubtful") == []


def test_what_is_dismissed_is_no_question_any_more(operator: TestClient, diary: Diary) -> None:
    ask(diary, ANN, "asdf", "Where is it?")
    assert operator.post("/insights/dismissals", json={"prompt": "asdf"}).status_code == 204
    assert prompts(operator, "/insights/unanswered") == ["Where is it?"]


def test_of_a_visitor_who_is_forgotten_nothing_is_told(operator: TestClient, diary: Diary) -> None:
    ask(diary, ANN, "What's up?")
    ask(diary, ANN, "Nearly", kind="known", confidence=0.6)
    diary.lessons.teach(ANN, "ping", "pong")
    diary.forget(ANN)
    assert prompts(operator, "/insights/unanswered") == prompts(operator, "/insights/doubtful") == []
    assert operator.get("/insights/lessons").json() == {"lessons": [], "count": 0}


def test_lessons_are_told_and_decided_on(operator: TestClient, diary: Diary, tmp_path: Path) -> None:
    for visitor in (ANN, BOB):
        diary.lessons.teach(visitor, "ping", "pong")
    diary.lessons.teach(ANN, "sun", "moon")
    found = operator.get("/insights/lessons").json()
    assert found["count"] == 2
    first, second = found["lessons"]
    assert first.pop("taught_at") > 1.7e9
    assert first == {"number": 1, "prompt": "ping", "reply": "pong", "visitors": 2}
    response = operator.post("/insights/lessons/1", json={"decision": "approve"})
    assert (response.status_code, response.json()["prompt"]) == (200, "ping")
    assert operator.post(f"/insights/lessons/{second['number']}", json={"decision": "reject"}).status_code == 200
    assert pairs(tmp_path) == [("ping", "pong", "lesson 1")]
    assert operator.get("/insights/lessons").json() == {"lessons": [], "count": 0}
    again = operator.post("/insights/lessons/1", json={"decision": "approve"})
    assert again.status_code == 404
    assert again.json()["error"].startswith("There is no lesson 1 to decide on")


def test_many_lessons_are_told_in_parts(operator: TestClient, diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insights, "MOST_LESSONS", 2)
    for number in range(3):
        diary.lessons.teach(ANN, f"prompt {number}", "reply")
    found = operator.get("/insights/lessons").json()
    assert (len(found["lessons"]), found["count"]) == (2, 3)


def post(client: TestClient, path: str, body: bytes, kind: str = "application/json") -> httpx2.Response:
    return client.post(path, content=body, headers={"Content-Type": kind})


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"prompt": 1, "decision": 1, "token": []}', b"\xff"])
def test_another_body_is_refused_with_a_sentence(operator: TestClient, path: str, body: bytes) -> None:
    response = post(operator, path, body)
    assert (response.status_code, response.json()) == (400, {"error": BODIES[path][1]})


@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_a_form_could_send_or_that_is_large_is_refused(operator: TestClient, path: str) -> None:
    response = post(operator, path, json.dumps(BODIES[path][0]).encode(), "text/plain")
    assert (response.status_code, response.json()) == (415, {"error": NO_JSON})
    assert post(operator, path, b" " * (MAX_BODY_BYTES + 1)).status_code == 413


@pytest.mark.parametrize("body", [{"prompt": " ", "reply": "x"}, {"prompt": "x", "reply": "x" * 1001}])
def test_what_is_no_question_or_no_answer_is_not_learned(
    operator: TestClient, tmp_path: Path, body: dict[str, Any]
) -> None:
    response = operator.post("/insights/answers", json=body)
    assert (response.status_code, response.json()) == (400, {"error": insights.UNREADABLE})
    assert pairs(tmp_path) == []


def test_no_other_decision_is_taken(operator: TestClient) -> None:
    response = operator.post("/insights/lessons/1", json={"decision": "forget"})
    assert (response.status_code, response.json()) == (400, {"error": insights.NO_DECISION})


def test_numbers_are_told_from_a_time_on(operator: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    async def since(_: History, at: float) -> list[Point]:
        asked.append(at)
        return []

    monkeypatch.setattr(History, "since", since)
    assert operator.get("/insights/numbers").json() == {"points": []}
    operator.get("/insights/numbers?since=1764000000.5")
    assert asked == [0.0, 1764000000.5]
    for wrong in ("x", "nan", "inf", ""):
        response = operator.get(f"/insights/numbers?since={wrong}")
        assert (response.status_code, response.json()) == (400, {"error": insights.NO_TIME})


@only_sqlite
@pytest.mark.parametrize("database", ["diego.db", "diego.db.visitors"])
def test_a_database_that_fails_is_a_503_with_a_sentence(
    operator: TestClient, diary: Diary, tmp_path: Path, database: str
) -> None:
    ask(diary, ANN, "What's up?")
    with closing(sqlite3.connect(tmp_path / database)) as connection:
        connection.executescript("DROP TABLE source" if database == "diego.db" else "DROP TABLE turn")
    response = operator.get("/insights/unanswered")
    assert (response.status_code, response.json()) == (503, {"error": insights.DATABASE_FAILED})


@pytest.mark.parametrize(("token", "module"), [("", "sign-in.js"), (TOKEN, "insights.js")])
def test_the_pages_have_no_script_of_their_own_and_ask_for_all_modules_at_once(
    stranger: TestClient, token: str, module: str
) -> None:
    if token:
        stranger.post("/insights/session", json={"token": token})
    page = stranger.get("/insights")
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", page.text)
    needed, found = {module}, {module}
    while found:
        text = "".join((HERE / "static" / name).read_text(encoding="utf-8") for name in found)
        found = set(re.findall(r'from "\./(.+)"', text)) - needed
        needed |= found
    assert set(re.findall('"/static/(.+?[.]js)"', page.text)) == needed
    for file in re.findall('(?:src|href)="(/static/[^"]*)"', page.text):
        assert stranger.get(file).status_code == 200
