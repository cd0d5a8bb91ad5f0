import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chatbot.bot.database import file_url
from chatbot.web.health import NO_ANSWER, Readiness
from chatbot.web.sockets import RESTARTS
from chatbot.web.threads import Threads
from tests.databases import only_sqlite
from tests.diaries import diary_in
from tests.processes import DIEGO, Server, serving, wait_for
from tests.small import SETTINGS, answer


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    threads = Threads()
    yield threads
    threads.close()


def readable(folder: Path) -> Path:
    diary_in(folder).close()
    return folder / "diego.db"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_server_that_is_well_says_so_without_a_cookie(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers


@only_sqlite
@pytest.mark.anyio
async def test_what_is_no_database_is_named(threads: Threads, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"not a database" * 1000)
    problem = await Readiness(threads, [*map(file_url, (readable(tmp_path), tmp_path / "broken.db"))]).problem()
    assert problem == "The database broken.db cannot be read: file is not a database."


@only_sqlite
@pytest.mark.anyio
async def test_a_database_in_whose_place_is_another_file_is_named(threads: Threads, tmp_path: Path) -> None:
    path = readable(tmp_path)
    readiness = Readiness(threads, [file_url(path)])
    path.rename(tmp_path / "diego.db.damaged")
    readable(tmp_path)
    problem = await readiness.problem()
    assert problem == "The database diego.db is another file than when Diego was started: restart him."


@only_sqlite
@pytest.mark.anyio
async def test_probes_ask_the_databases_once_in_a_while(
    threads: Threads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = readable(tmp_path)
    readiness = Readiness(threads, [file_url(path)])
    assert await asyncio.gather(*(readiness.problem() for _ in range(100))) == [None] * 100
    path.unlink()
    assert await readiness.problem() is None
    monkeypatch.setattr("chatbot.web.health.KEPT_SECONDS", 0)
    assert await readiness.problem() == "The database diego.db cannot be read: unable to open database file."


@pytest.mark.anyio
async def test_databases_that_do_not_answer_hold_up_no_probe_and_one_thread(
    threads: Threads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, asked = threading.Event(), []

    def hang(_databases: object) -> None:
        asked.append(1)
        go.wait(30)

    monkeypatch.setattr("chatbot.web.health.MOST_SECONDS", 0.05)
    monkeypatch.setattr("chatbot.web.health.KEPT_SECONDS", 0)
    monkeypatch.setattr("chatbot.web.health._problem_of", hang)
    readiness = Readiness(threads, [file_url(tmp_path / "any.db")])
    assert [await readiness.problem() for _ in range(3)] == [NO_ANSWER] * 3
    assert asked == [1]
    go.set()
    await asyncio.to_thread(wait_for, lambda: readiness._answer is not None and readiness._answer.done())  # noqa: SLF001
    assert await readiness.problem() is None
    assert asked == [1, 1]


@pytest.mark.server
def test_while_the_server_stops_it_lives_and_is_not_ready(own_server: Server) -> None:
    with own_server.connect() as busy:
        busy.send("slow 2")
        wait_for(lambda: own_server.count() == 1)
        own_server.process.terminate()
        wait_for(lambda: own_server.get("/readyz").status_code == 503)
        refused = own_server.get("/readyz")
        assert refused.json() == {"error": RESTARTS}
        assert refused.headers["retry-after"] == "2"
        assert own_server.get("/healthz").status_code == 200
        assert own_server.get("/client-count").json() == {"count": 1}
        assert busy.recv(timeout=30) == "slow 2"
    assert own_server.process.wait(30) == 0


@only_sqlite
@pytest.mark.server
@pytest.mark.parametrize("gone", ["diego.db", "diego.db.visitors"])
def test_a_server_whose_database_is_gone_is_not_ready(own_small_server: Server, gone: str) -> None:
    assert own_small_server.get("/readyz").status_code == 200
    (own_small_server.output.parent / gone).unlink()
    wait_for(lambda: own_small_server.get("/readyz").status_code == 503)
    assert f"The database {gone} " in own_small_server.get("/readyz").json()["error"]
    with own_small_server.connect() as tab:
        assert answer(tab, "Hello") == "Hello to you."


@pytest.mark.server
@pytest.mark.parametrize(("level", "logged"), [("info", False), ("debug", True)])
def test_probes_are_in_the_access_log_only_for_who_looks_closely(tmp_path: Path, level: str, logged: bool) -> None:  # noqa: FBT001
    (tmp_path / "small.yml").write_text("conversations:\n- [Hello, Hello to you.]\n")
    with serving(tmp_path, *DIEGO, port=0, **SETTINGS, DIEGO_LOG_LEVEL=level) as server:
        assert server.get("/healthz").status_code == server.get("/readyz?from=probe").status_code == 200
        server.count()
        wait_for(lambda: "GET /client-count" in server.log)
        assert ("GET /healthz" in server.log, "GET /readyz" in server.log) == (logged, logged)
