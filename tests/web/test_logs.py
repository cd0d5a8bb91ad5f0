import asyncio
import json
import logging
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pexpect
import pytest
from sqlalchemy import create_engine

from chatbot import SetupError
from chatbot.web.logs import CONNECTION, TURN, JsonFormatter, Tidy
from chatbot.web.threads import Threads
from tests.processes import SECONDS, STAND_IN, Server, environment, launched, serving, wait_for
from tests.small import visitor_of

HOSTILE = "\x00\n\r\x1b[2J\x7f\x9b\u061c\u200e\u2028\u2029\u202e\u2066\ud800"
ESCAPED = r"\x00\n\r\x1b[2J\x7f\x9b\u061c\u200e\u2028\u2029\u202e\u2066\ud800"


def record(message: str, *args: object, name: str = "chatbot", error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(name, logging.ERROR, "", 0, message, args, exc_info)


def logged(record: logging.LogRecord, *, with_messages: bool = False) -> str:
    """The line for people."""
    assert Tidy(with_messages=with_messages).filter(record)
    return logging.Formatter("%(ids)s%(message)s").format(record)


def raised(function: Callable[[], object]) -> Exception:
    try:
        function()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


def read_database() -> None:
    with closing(create_engine("sqlite://", hide_parameters=True).connect()) as connection:
        connection.exec_driver_sql("SELECT * FROM turn WHERE prompt = ?", ("tiramisu",))


def wrapped() -> None:
    try:
        int("tiramisu")
    except ValueError as error:
        raise RuntimeError("zabaione") from error


@pytest.mark.parametrize(
    ("message", "args"),
    [
        (f"at {HOSTILE}.", ()),
        ("at %s.", (HOSTILE,)),
        ("at %s.", (OSError(HOSTILE),)),
        ("at %(path)s.", ({"path": HOSTILE},)),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(message: str, args: tuple[object, ...]) -> None:
    assert logged(record(message, *args)) == f"at {ESCAPED}."


def test_other_characters_are_as_they_are() -> None:
    assert (
        logged(record("%s: %d × %.1f %%", "Ñandú 😀 \u200d عربي", np.int64(3), 2.5))
        == "Ñandú 😀 \u200d عربي: 3 × 2.5 %"
    )


def test_numbers_in_addresses_are_left_and_what_is_behind_the_path_is_not() -> None:
    line = logged(
        record('%s - "%s %s HTTP/%s" %d', "::1:80", "GET", "/a%0A?sid=tiramisu", "1.1", 200, name="uvicorn.access")
    )
    assert line == '::1:80 - "GET /a%0A HTTP/1.1" 200'
    assert logged(record("What now, %s", "Ann?")) == "What now, Ann?"


def test_an_error_shows_where_it_came_from_and_not_what_was_said() -> None:
    line = logged(record("It failed.", error=raised(wrapped)))
    assert line.startswith("It failed.\nTraceback (most recent call last):\n")
    assert f'File "{__file__}", line' in line
    assert line.index("\nValueError\nwhich led to:\n") < line.index("in raised")
    assert line.endswith("\nRuntimeError")
    assert "tiramisu" not in line.replace('int("tiramisu")', "")
    assert "zabaione" not in line.replace('RuntimeError("zabaione")', "")


def test_at_debug_it_shows_that_as_well() -> None:
    line = logged(record("It failed.", error=raised(lambda: int(f"7{HOSTILE[-1]}"))), with_messages=True)
    assert line.endswith(r"ValueError: invalid literal for int() with base 10: '7\ud800'")


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (raised(read_database), "OperationalError: no such table: turn"),
        (raised(lambda: Path("/tiramisu").read_text()), "FileNotFoundError: No such file or directory"),
        (sqlite3.OperationalError("database is locked"), "OperationalError: database is locked"),
        (SetupError("The port is in use."), "SetupError: The port is in use."),
        (OSError("https://example.org/?q=tiramisu"), "OSError"),
        (ValueError("tiramisu"), "ValueError"),
        (SystemExit("tiramisu"), "SystemExit"),
    ],
)
def test_the_sentences_of_the_database_and_of_the_system_are_shown(error: BaseException, shown: str) -> None:
    assert logged(record("It failed.", error=error)).splitlines()[-1] == shown


def test_what_asyncio_tells_of_a_task_is_left_out() -> None:
    told = "Task exception was never retrieved\nfuture: <Task exception=ValueError('tiramisu')>"
    assert logged(record(told, name="asyncio")) == "Task exception was never retrieved"


@pytest.mark.anyio
async def test_lines_say_which_connection_and_turn_they_are_about_in_threads_too() -> None:
    with closing(Threads()) as threads:
        CONNECTION.set("c1")
        assert await threads.run(logged, record("Here.")) == "[c1] Here."
        TURN.set(7)
        assert await threads.run(logged, record("Here.")) == "[c1 turn 7] Here."
    assert await asyncio.create_task(asyncio.to_thread(logged, record("Here."))) == "[c1 turn 7] Here."
    CONNECTION.set(None)
    TURN.set(None)
    assert logged(record("Here.")) == "Here."


def test_json_has_what_there_is() -> None:
    CONNECTION.set("c1")
    made = record("It %s.", "failed", error=SetupError("Why."))
    Tidy(with_messages=False).filter(made)
    CONNECTION.set(None)
    fields = json.loads(JsonFormatter().format(made))
    assert abs((datetime.fromisoformat(fields.pop("time")) - datetime.now(UTC)).total_seconds()) < SECONDS
    assert fields.pop("exception").endswith("SetupError: Why.")
    assert fields == {"level": "error", "logger": "chatbot", "message": "It failed.", "connection": "c1"}


def lines(server: Server) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.log.splitlines()]


@pytest.mark.server
@pytest.mark.parametrize("style", ["json", ""])
def test_a_server_that_is_not_on_a_terminal_logs_json_and_no_words(tmp_path: Path, style: str) -> None:
    with launched(tmp_path, *STAND_IN, "--port", "0", DIEGO_LOG_FORMAT=style) as server:
        ready = wait_for(lambda: [line for line in server.log.splitlines() if "Diego is ready" in line], server)
        server.address = json.loads(ready[0])["message"].partition("http://")[2].partition("/")[0]
        with server.connect() as client:
            for text in ("tiramisu", "fail tiramisu"):
                client.send(text)
                client.recv(timeout=SECONDS)
            visitor = visitor_of(client)
        server.get("/conversation/history?limit=tiramisu")
        server.get("/%1b%E2%80%AE%0A")
        assert server.stop() == 0
        (failed,) = [line for line in lines(server) if line["message"] == "The reply failed."]
        assert (failed["level"], failed["logger"], failed["turn"]) == ("error", "chatbot.web.visitors", 2)
        assert str(failed["exception"]).endswith("\nRuntimeError")
        (asked,) = [line for line in lines(server) if "/conversation/history" in str(line["message"])]
        assert str(asked["message"]).endswith('"GET /conversation/history HTTP/1.1" 400')
        assert failed["connection"] != asked["connection"]
        assert "tiramisu" not in server.log
        assert visitor not in server.log


@pytest.mark.server
def test_at_debug_all_turns_of_a_connection_are_found_by_its_id(tmp_path: Path) -> None:
    with serving(tmp_path, *STAND_IN, "--log-level", "debug") as server:
        with server.connect() as one, server.connect() as other:
            for client in (one, one, other):
                client.send("Hi")
                client.recv(timeout=SECONDS)
        replied = [line for line in server.log.splitlines() if "Diego has replied" in line]
    (first, second, third) = [line.partition("[")[2].partition("]")[0].split(" turn ") for line in replied]
    assert (first[0], first[1], second[1], third[1]) == (second[0], "1", "2", "1")
    assert third[0] != first[0]


@pytest.mark.server
def test_at_debug_there_are_neither_words_nor_cookies(tmp_path: Path) -> None:
    with serving(tmp_path, *STAND_IN, "--log-level", "debug") as server:
        with server.connect() as client:
            client.send("tiramisu")
            client.recv(timeout=SECONDS)
            visitor = visitor_of(client)
        assert server.stop() == 0
        assert "Diego has replied" in server.log
        assert "tiramisu" not in server.log
        assert visitor not in server.log


@pytest.mark.server
def test_on_a_terminal_it_is_for_people(tmp_path: Path) -> None:
    settings = environment(DIEGO_LOG_FORMAT="")
    with pexpect.spawn(
        sys.executable, [*STAND_IN, "--port", "0"], cwd=str(tmp_path), env=settings, encoding="utf-8", timeout=SECONDS
    ) as terminal:
        terminal.expect(r"INFO\S*: +Diego is ready at http://\S+ \(Ctrl-C stops him\)\.")
        terminal.sendintr()
        terminal.expect(r"INFO\S*: +Diego stops; still chatting: 0\.")
        terminal.expect(pexpect.EOF)
        assert '{"' not in str(terminal.before)
