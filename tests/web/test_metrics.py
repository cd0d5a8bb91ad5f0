import asyncio
import platform
import random
import re
import time
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient, WebSocketDenialResponse

from app import app
from chatbot import VERSION
from chatbot.messages import APOLOGY
from chatbot.web import metrics
from chatbot.web.metrics import Metrics, Refusal, Times
from chatbot.web.operators import SIGN_IN
from chatbot.web.threads import AT_ONCE
from tests.databases import CANNOT_BE_WRITTEN, ON_POSTGRESQL, change, url_in
from tests.nginx import ROOT
from tests.processes import SECONDS, Server, wait_for
from tests.rooms import raw_guest
from tests.scale import IS_SCALED, WORKERS, only_one_process
from tests.scraping import samples, scrape
from tests.small import answer
from tests.tabs import ask, new_cookie, open_plain_tab, open_tab

OF_KNOWLEDGE = {"diego_known_prompts", "diego_knowledge_timestamp_seconds"}
"""An echo has none."""


@pytest.mark.parametrize("stages", [(), ("waiting", "answering")])
def test_times_are_shown_as_the_librarys_histogram_shows_them(stages: tuple[str, ...]) -> None:
    registry, own_registry = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("x", "Of a test", ["stage"] if stages else [], buckets=metrics.SECONDS, registry=registry)
    times = Times("x", "Of a test", "stage", stages) if stages else Times("x", "Of a test")
    own_registry.register(times)
    for number in range(2000):
        seconds = random.choice([*metrics.SECONDS, 0.0, 1e9, random.lognormvariate(-4, 3)])
        for stage in stages[number % 2 :] or [""][number % 2 :]:
            (histogram.labels(stage) if stages else histogram).observe(seconds)
            times.observe(seconds, stage)
    assert generate_latest(own_registry) == generate_latest(registry)


def refusals(client: TestClient) -> dict[str, float]:
    """How many there were, by their reasons."""
    return {
        labels[1]: value
        for labels, value in samples(client.get("/metrics").text).items()
        if labels[0] == "diego_refusals_total"
    }


def test_who_is_refused_is_counted_by_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_DATABASE_URL", url_in(tmp_path))
    for name in ("MAX_CONNECTIONS", "MAX_WAITING_REPLIES", "RATE_LIMIT"):
        monkeypatch.setenv(f"DIEGO_{name}", "1")
    with TestClient(app) as client:
        assert refusals(client) == dict.fromkeys(get_args(Refusal), 0)
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
        assert client.delete("/conversation", headers={"Origin": "https://evil.example"}).status_code == 403
        with client.websocket_connect("/conversation") as tab:
            with pytest.raises(WebSocketDenialResponse), client.websocket_connect("/conversation"):
                pass
            for _ in range(2):
                tab.send_text("Hi")
                tab.receive_text()
        assert refusals(client) == {reason: reason != "busy" for reason in get_args(Refusal)}


@only_one_process  # of several each number has one label more
def test_the_page_for_operators_names_every_number(client: TestClient) -> None:
    (table,) = re.findall(r"^\| metric \|.*?\n\n", (ROOT / "docs/operating.md").read_text(), re.DOTALL | re.MULTILINE)
    named = {name + labels for name, labels in re.findall(r"`([a-z_]+)(\{.*?\})?`", table) if "_" in name}
    shown = {
        sample.name.removesuffix("_count")
        + (f"{{{','.join(name for name in sample.labels)}}}" if sample.labels else "")
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_sum"))
    }
    assert named - OF_KNOWLEDGE == shown


@only_one_process
def test_every_app_has_numbers_of_its_own(client: TestClient) -> None:
    with TestClient(app) as other:
        other.get("/", headers={"Host": "evil.example"})
        assert refusals(other)["host"] == 1
        assert refusals(client)["host"] == 0


def test_they_are_text_for_prometheus_which_no_cache_keeps(client: TestClient) -> None:
    headers = client.get("/metrics").headers
    assert headers["content-type"].startswith("text/plain; version=")
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers


def test_with_a_token_they_are_for_who_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_DATABASE_URL", url_in(tmp_path))
    monkeypatch.setenv("DIEGO_ADMIN_TOKEN", "a-token-of-operators")
    with TestClient(app) as client:
        refused = client.get("/metrics")
        assert (refused.status_code, refused.json()) == (401, {"error": SIGN_IN})
        assert client.get("/metrics", headers={"Authorization": "Bearer another-token"}).status_code == 401
        shown = client.get("/metrics", headers={"Authorization": "Bearer a-token-of-operators"}).text
        assert "diego_build_info" in shown


@pytest.mark.server
def test_the_numbers_are_what_was_done(own_small_server: Server) -> None:
    server, ann, folder = own_small_server, new_cookie(own_small_server), own_small_server.output.parent
    known, skill, unknown = (
        ("Hello", "What is a walrus?", "When I say ping, answer pong", "ping"),
        ("2 + 2",),
        ("xyzzy",),
    )
    chatted = len(known + skill + unknown)
    with (
        open_tab(server, ann) as tab,
        open_plain_tab(server, ann),
        server.connect() as other,
        raw_guest(server) as guest,
    ):
        for text in known + skill + unknown:
            ask(tab, text)
        answer(other, "/help")
        guest.send('421["message","@diego Hello"]')
        while '"name":"Diego","text"' not in str(guest.recv(timeout=SECONDS)):
            pass
        wait_for(lambda: scrape(server)["diego_reply_seconds_count",] == chatted, server)
        found = scrape(server)
    assert (
        found.items()
        >= {
            ("diego_connections", "chat"): 3,
            ("diego_connections", "room"): 1,
            ("diego_people", "room"): 1,
            ("diego_messages_total", "chat"): chatted,
            ("diego_messages_total", "room"): 1,
            ("diego_replies_total", "known"): len(known) + 1,
            ("diego_replies_total", "skill"): len(skill),
            ("diego_replies_total", "unknown"): len(unknown),
            ("diego_replies_total", "error"): 0,
            ("diego_reply_seconds_bucket", "+Inf"): chatted,
            ("diego_reply_stage_seconds_count", "waiting"): chatted,
            ("diego_reply_stage_seconds_count", "answering"): chatted,
            ("diego_reply_stage_seconds_count", "committing"): chatted,
            ("diego_turns_per_commit_sum",): chatted,
            ("diego_known_prompts",): 8 * WORKERS,
            ("diego_visitors_forgotten_total",): 0,
            ("diego_build_info", platform.python_version(), VERSION): WORKERS,
        }.items()
    )
    assert 2 <= found["diego_people", "chat"] <= (3 if IS_SCALED else 2)  # each process counts its own
    for name, file in {"knowledge": "diego.db", "visitors": "diego.db.visitors"}.items():
        size = found["diego_database_bytes", name]
        assert size > 1e6 if ON_POSTGRESQL else size == database_bytes(folder / file)
    stages = sum(found["diego_reply_stage_seconds_sum", stage] for stage in ("waiting", "answering", "committing"))
    assert 0 < stages < found["diego_reply_seconds_sum",]
    assert 0 <= time.time() - found["diego_knowledge_timestamp_seconds",] / WORKERS < SECONDS
    assert 1 <= found["diego_threads",] <= AT_ONCE * WORKERS
    assert found["diego_calls_waiting",] == 0
    assert found["diego_event_loop_lag_seconds_count",] > 0
    assert found["process_resident_memory_bytes",] > 1e7


@pytest.mark.server
def test_apologies_are_errors(own_server: Server) -> None:
    cookie = new_cookie(own_server)
    with open_tab(own_server, cookie) as tab, raw_guest(own_server) as guest:
        assert ask(tab, "fail")["text"] == APOLOGY
        guest.send('42["message","@diego fail"]')
        while APOLOGY not in str(guest.recv(timeout=SECONDS)):
            pass
        change(own_server.output.parent, CANNOT_BE_WRITTEN[0])
        assert ask(tab, "Hello")["text"] == APOLOGY
    found = scrape(own_server)
    assert [found["diego_replies_total", kind] for kind in ("known", "skill", "unknown", "error")] == [0, 0, 0, 3]
    assert found["diego_reply_seconds_count",] == 0


@pytest.mark.anyio
async def test_it_is_seen_that_the_event_loop_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.web.metrics.LAG_SECONDS", 0.001)
    metrics = Metrics()
    watching = asyncio.create_task(metrics.watch_loop())
    await asyncio.sleep(0)
    time.sleep(0.02)  # noqa: ASYNC251 - as nothing that runs there may
    late = await asyncio.to_thread(
        wait_for, lambda: metrics.registry.get_sample_value("diego_event_loop_lag_seconds_sum")
    )
    watching.cancel()
    assert late is not None
    assert late >= 0.018


def test_they_hold_nothing_of_what_is_said(client: TestClient) -> None:
    with client.websocket_connect("/conversation") as ws:
        ws.send_text("tiramisu")
        assert ws.receive_text() == "tiramisu"
        assert "tiramisu" not in client.get("/metrics").text


def database_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")))
