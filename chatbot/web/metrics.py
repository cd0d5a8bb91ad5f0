"""What an operator can watch, in numbers for Prometheus: nothing of what anybody says, nor who it is."""

import asyncio
import platform
from itertools import pairwise
from typing import Literal, get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from chatbot import VERSION
from chatbot.bot.receipts import Kind
from chatbot.web.operators import Operators

# Else there would be a line more for each number, which Prometheus does not read.
disable_created_metrics()  # type: ignore[no-untyped-call]

Place = Literal["chat", "room"]
Stage = Literal["waiting", "answering", "committing"]
Refusal = Literal["host", "origin", "connections", "rate", "busy"]
"""Why a connection, a request or a message was refused."""

METRICS = "metrics"
"""Where the app's lifespan state holds them, for what stands before the views."""

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TURNS = (1, 2, 5, 10, 20, 50, 100)

LAG_SECONDS = 0.1
"""How often it is looked how late the event loop is."""


class Metrics:
    """What is counted where it happens. Threads may share it."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        build = Info("diego_build", "The versions of Diego and of Python", registry=registry)
        build.info({"version": VERSION, "python": platform.python_version()})
        messages = Counter("diego_messages", "Messages that were taken", ["place"], registry=registry)
        self.messages = {place: messages.labels(place) for place in get_args(Place)}
        replies = Counter(
            "diego_replies",
            "Replies: known (trained or taught), by a skill, or that Diego does not know; an error is an apology",
            ["kind"],
            registry=registry,
        )
        self.replies = {kind: replies.labels(kind) for kind in (*get_args(Kind), "error")}
        refusals = Counter(
            "diego_refusals", "Connections, requests and messages that were refused", ["reason"], registry=registry
        )
        self.refusals = {reason: refusals.labels(reason) for reason in get_args(Refusal)}
        self.reply_seconds = Histogram(
            "diego_reply_seconds",
            "From a message in a conversation to its reply, sent",
            buckets=SECONDS,
            registry=registry,
        )
        stages = Histogram(
            "diego_reply_stage_seconds",
            "What of that it takes until a thread is free, the reply is worked out, and the turn is committed",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self._stages = [stages.labels(stage) for stage in get_args(Stage)]
        self.turns_per_commit = Histogram(
            "diego_turns_per_commit", "How many turns are committed at once", buckets=TURNS, registry=registry
        )
        self.loop_lag = Histogram(
            "diego_event_loop_lag_seconds",
            "How late the event loop is, ten times a second",
            buckets=SECONDS,
            registry=registry,
        )
        self.forgotten = Counter(
            "diego_visitors_forgotten", "Visitors whom this process has forgotten", registry=registry
        )

    def note_reply(self, kind: str, *times: float) -> None:
        """Count a reply; its stages begin and end at these times."""
        self.replies[kind].inc()
        for stage, (begun, ended) in zip(self._stages, pairwise(times), strict=True):
            stage.observe(ended - begun)

    async def watch_loop(self) -> None:
        """Note how late the event loop is, as long as this runs."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self.loop_lag.observe(max(0.0, loop.time() - due))


def refused(scope: Scope, reason: Refusal) -> None:
    """Count a refusal; the scope is that of the connection."""
    metrics: Metrics = scope["state"][METRICS]
    metrics.refusals[reason].inc()


async def show(request: Request, registry: CollectorRegistry, operators: Operators | None) -> Response:
    """All numbers as they are now, in Prometheus' text format; if operators have a token, for who has it."""
    if operators:
        operators.check(request)
    # In a thread: to count the open files of ten thousand connections takes milliseconds.
    text = await asyncio.to_thread(generate_latest, registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
