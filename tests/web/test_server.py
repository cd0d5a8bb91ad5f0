import re
import signal
import socket
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pexpect
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from chatbot.web.server import SWITCH_SECONDS
from tests.databases import execute, only_sqlite, url_in
from tests.nginx import ROOT
from tests.packaged import replies_in
from tests.processes import DIEGO, SECONDS, STAND_IN, Server, environment, launched, serving, serving_directly, wait_for
from tests.scale import only_one_process
from tests.tabs import frame, history, new_cookie, open_plain_tab, raw_client

pytestmark = pytest.mark.server


def refusal(folder: Path, *command: str, **settings: str) -> str:
    """What a server that cannot start prints."""
    with launched(folder, *command, **settings) as server:
        assert server.process.wait(30) != 0
        assert "Traceback" not in server.log
        return server.log


def rows(folder: Path) -> int:
    ((count,),) = execute(url_in(folder), "SELECT count(*) FROM statement")
    return int(count)


def write_large_corpus(folder: Path) -> None:
    """One that takes seconds to train."""
    dialogues = "".join(f"- [prompt {n}, reply {n}]\n" for n in range(150_000))
    (folder / "large.yml").write_text("conversations:\n" + dialogues)


def listening_port(process: int) -> int:
    """The port that a process listens on."""
    connections = psutil.Process(process).net_connections("tcp")
    (port,) = {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}
    return int(port)


def test_the_first_start_trains_the_second_does_not(tmp_path: Path) -> None:
    with serving_directly(tmp_path, *DIEGO) as server:
        assert "Training Diego on chatbot.corpus.english, " in server.log
        assert f"To chat: {sys.executable} {ROOT}/client.py ws://{server.address}/conversation\n" in server.log
        with server.connect() as client:
            client.send("What is AI?")
            assert str(client.recv(timeout=30)) in replies_in("chatterbot.corpus.english.ai", "What is AI?")
        assert server.stop() == 0
    before = rows(tmp_path)
    with serving_directly(tmp_path, *DIEGO) as server:
        assert "Training" not in server.log
        assert rows(tmp_path) == before


def test_training_shows_a_progress_bar_and_ctrl_c_ends_the_server_with_0(tmp_path: Path) -> None:
    with pexpect.spawn(
        sys.executable, [*DIEGO, "--port", "0"], cwd=str(tmp_path), env=environment(), encoding="utf-8", timeout=SECONDS
    ) as terminal:
        terminal.expect("Training: +[0-9]+%")
        terminal.expect("Diego is ready")
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
        terminal.wait()
        assert terminal.exitstatus == 0


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_python_executes_a_string_it_ends_as_always(tmp_path: Path, sig: signal.Signals) -> None:
    (tmp_path / "slow.py").write_text("eval(\"print('importing', flush=True) or __import__('time').sleep(60)\")\n")
    with launched(tmp_path, *DIEGO, "--port", "0", DIEGO_SKILLS="slow.Slow", PYTHONPATH=str(tmp_path)) as server:
        wait_for(lambda: "importing" in server.log, server)
        assert server.stop(sig) == 0


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_training_it_leaves_the_old_knowledge(tmp_path: Path, sig: signal.Signals) -> None:
    with serving(tmp_path, *DIEGO, DIEGO_CORPORA="chatterbot.corpus.english.ai") as server:
        server.stop()
    before = rows(tmp_path)
    write_large_corpus(tmp_path)
    with launched(tmp_path, *DIEGO, "--port", "0", DIEGO_CORPORA="large.yml") as server:
        wait_for(lambda: "Training Diego" in server.log, server)
        assert server.stop(sig) == 0
        assert "Stopped before Diego was ready." in server.log
        assert "Traceback" not in server.log
    assert rows(tmp_path) == before


def test_flags_win_over_settings(tmp_path: Path) -> None:
    with serving_directly(tmp_path, *STAND_IN, "--host", "::1", DIEGO_HOST="nowhere.invalid") as server:
        assert server.address.startswith("[::1]:")
        assert server.get("/client-count").json() == {"count": 0}


def test_every_address_is_shown_as_the_one_to_open_here(tmp_path: Path) -> None:
    with serving_directly(tmp_path, *STAND_IN, "--host", "0.0.0.0") as server:
        assert server.address.startswith("127.0.0.1:")


def test_a_port_in_use_is_one_sentence(server: Server, tmp_path: Path) -> None:
    port = server.address.rpartition(":")[2]
    assert refusal(tmp_path, *STAND_IN, "--port", port) == (
        f"Diego cannot start. Port {port} of 127.0.0.1 is in use by another program. Stop that program, or take "
        f"another port: python app.py --port {int(port) + 1}\n"
    )


def test_the_port_is_taken_and_clients_wait_while_it_trains(tmp_path: Path) -> None:
    write_large_corpus(tmp_path)
    with launched(tmp_path, *DIEGO, "--port", "0", DIEGO_CORPORA="large.yml") as server:
        wait_for(lambda: "Training Diego" in server.log, server)
        port = listening_port(server.process.pid)
        assert f"Port {port} of 127.0.0.1 is in use" in refusal(tmp_path, *STAND_IN, "--port", str(port))
        assert "ready" not in server.log
        with connect(f"ws://127.0.0.1:{port}/conversation", open_timeout=60) as client:
            client.send("prompt 7")
            assert client.recv(timeout=30) == "reply 7"


@pytest.mark.parametrize(
    ("command", "settings", "sentence"),
    [
        (("--port", "eighty"), {}, "DIEGO_PORT is 'eighty'; it must be a whole number from 0 to 65535."),
        (("--host", "a..b"), {}, "a..b is no address."),
        (("--host", "nowhere.invalid"), {}, "nowhere.invalid is no address of this machine"),
        (("--host", "203.0.113.1"), {}, "203.0.113.1 is no address of this machine"),
        ((), {"DIEGO_LOG_LEVEL": "loud"}, "DIEGO_LOG_LEVEL is 'loud'; it must be one of"),
        ((), {"DIEGO_CORPORA": "nowhere.yml"}, "nowhere.yml: there is no such file, folder or corpus."),
        (
            (),
            {"DIEGO_DATABASE_URL": "sqlite:///nowhere/diego.db"},
            "The database nowhere/diego.db.visitors cannot be used: unable to open database file. See that its folder ",
        ),
        ((), {"DIEGO_DATABASE_URL": "sqlite:///a.db?timeout=x"}, "DIEGO_DATABASE_URL is 'sqlite:///a.db?timeout=x'"),
        ((), {"DIEGO_DATABASE_URL": "sqlite:///damaged.db"}, "The database damaged.db is damaged"),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(
    tmp_path: Path, command: tuple[str, ...], settings: dict[str, str], sentence: str
) -> None:
    (tmp_path / "damaged.db").write_bytes(b"not a database" * 1000)
    said = refusal(tmp_path, *DIEGO, "--port", "0", *command, **settings).splitlines()
    assert said[-1].removeprefix("ERROR:    ").startswith(f"Diego cannot start. {sentence}")
    assert [line for line in said if "Diego cannot start" not in line and "Training Diego" not in line] == []


@only_one_process
def test_reload_starts_anew_when_the_code_changes(tmp_path: Path) -> None:
    with serving(tmp_path, *STAND_IN, "--reload") as server:

        def change_is_noticed() -> bool:  # in the first quarter of a second, none is
            (tmp_path / "changed.py").touch()
            return "Reloading" in server.log

        wait_for(change_is_noticed, server)
        wait_for(lambda: server.log.count("Diego is ready") >= 2, server)
        assert server.get("/client-count").json() == {"count": 0}
        assert server.stop() == 0


@only_one_process
def test_reload_stops_as_well_as_a_server_without(tmp_path: Path) -> None:
    with serving(tmp_path, *STAND_IN, "--reload") as server, server.connect() as busy, server.connect() as endless:
        busy.send("slow 1")
        endless.send("slow 60")
        wait_for(lambda: server.count() == 2)
        for process in psutil.Process(server.process.pid).children():
            process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGINT)  # to both, as Ctrl-C does
        assert busy.recv(timeout=30) == "slow 1"
        assert server.process.wait(30) == 0
        assert "Traceback" not in server.log


def test_plain_uvicorn_serves_the_app_too(tmp_path: Path) -> None:
    with launched(
        tmp_path, "-m", "uvicorn", "app:app", "--port", "0", DIEGO_CORPORA="chatterbot.corpus.english"
    ) as server:
        wait_for(lambda: "Uvicorn running on http://" in server.log, server)
        server.address = server.log.partition("Uvicorn running on http://")[2].split()[0]
        with server.connect() as client:
            client.send("x" * 20_000)
            assert "too long" in str(client.recv(timeout=30))
            client.send("What is AI?")
            assert client.recv(timeout=30)
        assert "Traceback" not in server.log


def test_plain_uvicorn_gets_the_sentence_too(tmp_path: Path) -> None:
    log = refusal(tmp_path, "-m", "uvicorn", "app:app", "--port", "0", DIEGO_CORPORA="nowhere.yml")
    assert "ERROR:    Diego cannot start. nowhere.yml: there is no such file, folder or corpus." in log


@only_sqlite
@pytest.mark.parametrize("seconds", [2, 6])
def test_it_stops_in_time_whatever_hangs(tmp_path: Path, seconds: int) -> None:
    with serving(tmp_path, *STAND_IN, DIEGO_DRAIN_SECONDS=str(seconds)) as server:
        cookie = new_cookie(server)
        with (
            raw_client(server, f"Cookie: {cookie}") as deaf,
            server.connect() as endless,
            server.connect() as unlucky,
            server.connect() as idle,
            closing(sqlite3.connect(tmp_path / "diego.db.visitors")) as database,
        ):
            deaf.sendall(frame("long 20000000") + frame("one more"))
            wait_for(lambda: [turn["prompt"] for turn in history(server, cookie, "?limit=1")] == ["one more"])
            database.execute("BEGIN EXCLUSIVE")
            endless.send("slow 60")
            unlucky.send("cannot be kept")
            wait_for(lambda: server.count() == 4)
            started = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - started < seconds
            with pytest.raises(ConnectionClosed):
                idle.recv()
            assert idle.close_code == 1012
        failures = re.findall(r"(?m)^ERROR: +(.*)", server.log)
        locked = "Nothing can be written to diego.db.visitors: database is locked. Visitors are told so."
        assert {*failures} <= {"The database failed, so a message had no reply.", locked}


def test_whoever_computes_gives_way_to_others_soon(tmp_path: Path) -> None:
    tells = "StandIn.get_response = lambda self, prompt, *, conversation: str(sys.getswitchinterval())"
    code = f"import sys; from tests.stand_ins import StandIn; {tells}; {STAND_IN[1]}"
    with serving(tmp_path, "-c", code) as server, server.connect() as client:
        client.send("How long may a thread keep Python?")
        assert float(client.recv(timeout=SECONDS)) == pytest.approx(SWITCH_SECONDS)


@only_one_process  # whose connections it counts
def test_what_is_asked_over_http_when_the_server_stops_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path, *STAND_IN) as server, ThreadPoolExecutor() as pool:
        cookie = new_cookie(server)
        with open_plain_tab(server, cookie) as tab:
            tab.send("slow 2")
            wait_for(lambda: server.count() == 1)
            waiting = pool.submit(server.get, "/conversation/why", Cookie=cookie)
            wait_for(lambda: len(psutil.Process(server.process.pid).net_connections("tcp")) > 2)
            assert server.stop() == 0
            assert tab.recv(timeout=30) == "slow 2"
        assert waiting.result().status_code == 200
        assert not {"ERROR", "WARNING", "Traceback"} & {*re.findall(r"\w+", server.log)}


def test_a_request_that_hangs_is_cut_off_without_a_traceback(tmp_path: Path) -> None:
    with serving(tmp_path, *STAND_IN, DIEGO_DRAIN_SECONDS="1") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            client.sendall(
                b"POST /conversation/lessons HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"
            )
            assert client.recv(4096).startswith(b"HTTP/1.1 100 ")
            assert server.stop() == 0
            assert client.recv(4096) == b""
        assert not {"ERROR", "Traceback"} & {*re.findall(r"\w+", server.log)}
