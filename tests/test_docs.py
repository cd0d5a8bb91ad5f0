"""What the pages of docs/ show, and the README of lessons: the skill in a stock ChatBot, sessions with real servers."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from chatterbot import ChatBot
from starlette.routing import Route

from app import app
from chatbot.bot.lessons import MOST_LESSONS
from chatbot.bot.room import MOST_KEPT, Said
from chatbot.bot.turns import Turn
from chatbot.bot.words import WordTagger
from chatbot.messages import MAX_CHARACTERS, NotNow
from chatbot.settings import Settings, load_settings
from chatbot.web import people, protocol, rates, rest, room, sockets, tab, threads, visitors
from chatbot.web.commands import carry_out
from chatbot.web.health import PROBES
from chatbot.web.server import MAX_FRAME_BYTES
from chatbot.web.wire import (
    COMMANDS,
    JSON,
    MOST_TURNS,
    Command,
    Event,
    JsonWire,
    count_event,
    error_event,
    history_event,
    reply_event,
)
from tests.databases import url_in
from tests.diaries import ANN, diary_in
from tests.nginx import ROOT
from tests.processes import DIEGO, SECONDS, Server, needs, serving
from tests.tabs import new_cookie, open_tab

PAGE = (ROOT / "docs/skills.md").read_text()
README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs/protocol.md").read_text()
ROOM_PAGE = (ROOT / "docs/room.md").read_text()
BUILT_IN = re.findall(r"^\| `(.+?)` \| (.+?) \|$", PAGE, re.MULTILINE)


def stock(folder: Path, adapter: str) -> ChatBot:
    return ChatBot(
        "Stock",
        storage_adapter="chatbot.bot.storage.KnowledgeStorage",
        database_uri=url_in(folder, "stock.db"),
        tagger=WordTagger,
        read_only=True,
        logic_adapters=[adapter],
    )


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatBot]:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "dice.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    bot = stock(tmp_path, "dice.Dice")
    with closing(bot.storage):
        yield bot


def test_the_skill_of_the_page_answers(bot: ChatBot) -> None:
    rolled = {str(bot.get_response("Roll 2d6!")) for _ in range(300)}
    assert rolled <= {f"You rolled {pips}." for pips in range(2, 13)}
    assert len(rolled) > 6  # one in a thousand such tests misses a 2 or a 12
    assert str(bot.get_response("roll d1")) == "You rolled 1."


@pytest.mark.parametrize("message", ["let's roll", "roll 0d6", "roll 2d0", "hello"])
def test_the_skill_of_the_page_leaves_other_messages_alone(bot: ChatBot, message: str) -> None:
    (dice,) = bot.logic_adapters
    assert dice.answer(message) is None


def test_the_page_names_every_skill() -> None:
    modules = {path.stem for path in (ROOT / "chatbot/bot/skills").glob("*.py") if "(Skill):" in path.read_text()}
    assert {adapter.split(".")[-2] for adapter, _ in BUILT_IN} == modules


@pytest.mark.parametrize(("adapter", "questions"), BUILT_IN)
def test_the_skills_of_the_page_answer_its_questions(tmp_path: Path, adapter: str, questions: str) -> None:
    bot = stock(tmp_path, adapter)
    bot.count_clients = lambda: 1
    with closing(bot.storage):
        for question in re.findall(r"[^?]+\?", questions):
            assert bot.get_response(question.strip()).confidence == 1


def comparable(frame: str) -> object:
    """A frame without what is different each time: when something was said, and how long the reply took."""
    still = re.sub(r'"said_at": ?[0-9.]+', '"said_at": 0', frame)
    return json.loads(re.sub(r"in [0-9.]+ ms", "in a moment", still).removeprefix("< "))


@pytest.mark.server
def test_the_session_of_the_page(tmp_path: Path) -> None:
    (session,) = re.findall(r"^```text\n(.*?)^```", PROTOCOL, re.DOTALL | re.MULTILINE)
    (tmp_path / "hours.csv").write_text("text,reply\nWhen are you open?,From nine to five.\n")
    with serving(tmp_path, *DIEGO, DIEGO_CORPORA="hours.csv") as server:
        cookie = new_cookie(server)
        for opening, *lines in (part.splitlines() for part in session.split("\n\n")):
            kind, address = opening.split()
            if kind == "GET":
                assert [comparable(line) for line in lines] == [comparable(server.get(address, Cookie=cookie).text)]
            else:
                with open_tab(server, cookie, address.removeprefix("/conversation")) as client:
                    for line in lines:
                        if line.startswith("> "):
                            client.send(line.removeprefix("> "))
                        else:
                            assert comparable(line) == comparable(str(client.recv(timeout=SECONDS)))


@pytest.mark.server
def test_the_lessons_of_the_readme(tmp_path: Path) -> None:
    (session,) = re.findall(r"^```text\n(> .*?)^```", README, re.DOTALL | re.MULTILINE)
    (tmp_path / "hours.csv").write_text("text,reply\nWhen are you open?,From nine to five.\n")
    with serving(tmp_path, *DIEGO, DIEGO_CORPORA="hours.csv") as server, server.connect() as client:
        for said, answer in re.findall(r"^> (.*)\n(.*)$", session, re.MULTILINE):
            client.send(said)
            assert client.recv(timeout=SECONDS) == answer


@pytest.mark.server
@needs("curl")
def test_the_session_of_the_page_with_curl(server: Server, tmp_path: Path) -> None:
    (session,) = re.findall(r"^```console\n(.*?)^```", PROTOCOL, re.DOTALL | re.MULTILINE)
    for command, answer in re.findall(
        r"^\$ (.*)\n(.*)$", session.replace("127.0.0.1:8000", server.address), re.MULTILINE
    ):
        printed = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert printed.stdout == answer


def fields_in(heading: str) -> dict[str, set[str]]:
    """The fields of each type of frame in the table after that line."""
    fields: dict[str, set[str]] = {}
    name = ""
    _, _, rest = PROTOCOL.partition(f"\n{heading}\n\n")
    for row in rest.split("\n\n")[0].splitlines()[2:]:
        kind, named = row.split("|")[1:3]
        name = kind.strip(" `") or name
        fields.setdefault(name, set()).update(re.findall("`(.+?)`", named))
    return fields


def test_the_protocols_page_names_what_a_client_sends() -> None:
    sent = {"text": "Hi", "id": "a1", "before": 5, "limit": 7, "prompt": "Ping", "reply": "Pong!", "number": 9}
    named = fields_in("What a client sends:")
    assert {*named} == {"message", "history", "count", *COMMANDS}
    for kind, fields in named.items():
        asked = JsonWire().read(json.dumps({"type": kind, **sent}))
        taken = {name for name, value in asked._asdict().items() if sent.get(name) == value}
        assert (kind, taken) == (kind, fields)


def test_the_protocols_page_names_what_diego_sends(tmp_path: Path) -> None:
    turn = Turn(ANN, 1, None, "Hi", "Hello!")
    told = [
        Event("typing", {"id": None, "prompt": "Hi"}),
        reply_event(turn),
        history_event([turn]),
        count_event(3),
        error_event(NotNow("Later.", 1)),
    ]
    asked = Command("", prompt="Ping", reply="Pong!", number=1)
    with closing(diary_in(tmp_path)) as diary:
        told += [carry_out(diary, ANN, asked._replace(name=name)) for name in COMMANDS]
    sent = [json.loads(JsonWire().write(event)) for event in told]
    assert fields_in("What Diego sends:") == {fields["type"]: {*fields} - {"type"} for fields in sent}


def test_the_protocols_page_names_every_command(tmp_path: Path) -> None:
    with closing(diary_in(tmp_path)) as diary:
        commands = carry_out(diary, ANN, Command("help")).fields["commands"]
    named = re.findall(r"^\| `(/.+?)` \|", PROTOCOL, re.MULTILINE)
    assert named == [command["usage"] for command in commands]


def test_the_protocols_page_names_every_request() -> None:
    routes = [
        route for route in app.routes if isinstance(route, Route) and route.path.startswith(("/conversation", *PROBES))
    ]
    taken = {(method, route.path.replace("{number}", "1")) for route in routes for method in route.methods or ()}
    named = set(re.findall(r"^\| `([A-Z]+) (.+?)` \| 20[01] \|", PROTOCOL, re.MULTILINE))
    assert named == {(method, path) for method, path in taken if method != "HEAD"} - {("GET", "/conversation")}


def test_the_protocols_page_names_the_limits_and_the_close_codes() -> None:
    assert f"`{JSON}`" in PROTOCOL
    assert f"up to {MOST_TURNS} turns" in PROTOCOL
    assert f"up to {MAX_CHARACTERS:,} characters" in PROTOCOL
    assert f"up to {MAX_FRAME_BYTES // 1024} KiB" in PROTOCOL
    assert f"Up to {tab.MAX_WAITING} messages" in PROTOCOL
    assert f"takes nothing for {protocol.TAKE_SECONDS:.0f} s" in PROTOCOL
    for code in (visitors.NORMAL_CLOSURE, tab.UNSUPPORTED_DATA, tab.SERVICE_RESTART):
        assert f"\n| {code} |" in PROTOCOL
    limits = load_settings()
    assert f"up to {limits.rate_limit} times a minute" in PROTOCOL
    assert f"{limits.rate_limit_per_address} times" in PROTOCOL
    assert f"{limits.max_waiting_replies:,} replies wait" in PROTOCOL
    assert f"| {tab.POLICY_VIOLATION} | the tab went on {rates.MOST_REFUSALS} times in a row" in PROTOCOL
    assert f"waited for {threads.FULL_SECONDS} s" in PROTOCOL
    assert f"after {threads.LATE_SECONDS} s" in PROTOCOL
    assert rest.BODY_SECONDS == protocol.HEAD_SECONDS
    assert f"| 408 | the head or the body has not arrived within {rest.BODY_SECONDS:.0f} s |" in PROTOCOL
    assert f"| 409 | the visitor has taught {MOST_LESSONS} things |" in PROTOCOL
    assert f"| 413 | the body is larger than {rest.MAX_BODY_BYTES // 1024} KiB |" in PROTOCOL
    assert f"| 431 | the head is larger than {protocol.MOST_HEAD_BYTES // 1024} KiB |" in PROTOCOL
    assert f"over {protocol.MOST_CONTROL_FRAMES} pings and pongs in a second" in PROTOCOL
    assert f"a message in over {protocol.MOST_FRAGMENTS} frames" in PROTOCOL


def test_the_protocols_page_names_how_many_may_be_connected() -> None:
    most = {name: field.default for name, field in Settings.model_fields.items() if name.startswith("max_connections")}
    address, visitor = most["max_connections_per_address"], most["max_connections_per_visitor"]
    assert f"| 429 | the address has {address} connections, or the visitor {visitor} |" in PROTOCOL
    assert f"| 503 | there are {most['max_connections']:,} connections |" in PROTOCOL
    assert all(f"`DIEGO_{name.upper()}`" in PROTOCOL for name in most)


def test_the_rooms_page_names_the_limits() -> None:
    assert f"up to {MAX_CHARACTERS:,} characters" in ROOM_PAGE
    assert f"a frame {MAX_FRAME_BYTES // 1024} KiB" in ROOM_PAGE
    assert f"a polling client {rest.MAX_BODY_BYTES // 1024} KiB" in ROOM_PAGE
    assert f"the last {MOST_KEPT} messages" in ROOM_PAGE
    assert f"1 to {people.MOST_NAME_CHARACTERS} characters" in ROOM_PAGE
    assert f"Up to {room.MOST_MENTIONS} questions" in ROOM_PAGE
    assert f"which {sockets.MOST_WAITING} packets wait" in ROOM_PAGE
    assert f"wait {rates.MOST_REFUSALS} times in a row" in ROOM_PAGE
    assert ROOM_PAGE.count(f"{sockets.PING_SECONDS:.0f} s") == 2
    for code in (tab.UNSUPPORTED_DATA, tab.SERVICE_RESTART):
        assert f"with {code} " in ROOM_PAGE


def test_the_rooms_page_names_what_is_told_of_a_message() -> None:
    told = room.message_fields(Said(1, ANN, "Ann", None, "Hi", 0.0))
    (rows,) = re.findall(r"^\| `response` \|(.*?)^\| `joined`", ROOM_PAGE, re.DOTALL | re.MULTILINE)
    assert re.findall(r"^[^`]*`(\w+)` \|", rows, re.MULTILINE) == [*told]
