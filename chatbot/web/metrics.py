"""What an operator can watch, in numbers for Prometheus: nothing of what anybody says, nor who it is."""

import asyncio
import platform
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, pairwise
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
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from chatbot import VERSION
from chatbot.bot.receipts import Kind
from chatbot.shared.calls import Calls
from chatbot.shared.link import Unreachable
from chatbot.web.operators import Operators

# Else there would be a line more for each number, which Prometheus does not read.
disable_created_metrics()  # type: ignore[no-untyped-call]

Place = Literal["chat", "room"]
Stage = Literal["waiting", "answering", "committing"]
Refusal = Literal["host", "origin", "connections", "rate", "busy"]
"""Why a connection, a request or a message was refused."""

STAGES = get_args(Stage)

METRICS = "metrics"
"""Where the app's lifespan state holds them, for what stands before the views."""

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TURNS = (1, 2, 5, 10, 20, 50, 100)

OTHERS_SECONDS = 1.0
"""How long other processes may take to tell what they have counted."""

_NAME = "metrics"
_Family = tuple[str, str, str, list[tuple[str, dict[str, str], float]]]
"""The name of what is counted, what that is and of which type, and samples: their names, labels and values."""

LAG_SECONDS = 0.1
"""How often it is looked how late the event loop is."""


class Times(Collector):
    """A histogram of seconds, for one thread; with a label, one for each of its values.

    The library's Histogram takes a lock and looks at one bound after the other: four of them for each reply were 7 % of
    the time in which Python works.
    """

    def __init__(self, name: str, about: str, label: str = "", values: Sequence[str] = ("",)) -> None:
        self._name = name
        self._about = about
        self._label = label
        self._counts = {value: [0] * (len(SECONDS) + 1) for value in values}
        self._sums = dict.fromkeys(values, 0.0)

    def observe(self, seconds: float, value: str = "") -> None:
        """Note how long something took."""
        self._counts[value][bisect_left(SECONDS, seconds)] += 1
        self._sums[value] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """All of it, in Prometheus' form. Any thread may ask."""
        family = HistogramMetricFamily(self._name, self._about, labels=[self._label] if self._label else [])
        bounds = [*map(floatToGoString, SECONDS), "+Inf"]
        for value, counts in self._counts.items():
            buckets = [*zip(bounds, accumulate(counts), strict=True)]
            family.add_metric([value] if self._label else [], buckets, self._sums[value])
        yield family


class Metrics:
    """What is counted where it happens. Threads may share it; the times of replies are for the event loop's alone."""

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
        self.reply_times = Times("diego_reply_seconds", "From a message in a conversation to its reply, sent")
        self._stage_times = Times(
            "diego_reply_stage_seconds",
            "What of that it takes until a thread is free, the reply is worked out, and the turn is committed",
            "stage",
            STAGES,
        )
        registry.register(self.reply_times)
        registry.register(self._stage_times)
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
        for stage, (begun, ended) in zip(STAGES, pairwise(times), strict=True):
            self._stage_times.observe(ended - begun, stage)

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


class AllMetrics:
    """What is counted by all processes: each number has a label that says by which."""

    def __init__(self, process: str, registry: CollectorRegistry, calls: Calls) -> None:
        self._process = process
        self._registry = registry
        self._calls = calls

    async def open(self) -> None:
        """Tell the others, whenever they ask."""
        await self._calls.serve(_NAME, self._answer)

    async def collected(self) -> CollectorRegistry:
        """All numbers that are to be had in time."""
        answers = [await self._answer()]
        with suppress(Unreachable):
            answers += await self._calls.ask_others(_NAME, None, OTHERS_SECONDS)
        registry = CollectorRegistry()
        registry.register(_Collected(_merged(answers)))
        return registry

    async def _answer(self, _question: object = None) -> tuple[str, list[_Family]]:
        return self._process, await asyncio.to_thread(_plain, self._registry)


def _plain(registry: CollectorRegistry) -> list[_Family]:
    """All numbers as values for JSON."""
    return [
        (metric.name, metric.documentation, metric.type, [(one.name, one.labels, one.value) for one in metric.samples])
        for metric in registry.collect()
    ]


def _merged(answers: Iterable[tuple[str, list[_Family]]]) -> Iterable[Metric]:
    merged: dict[str, Metric] = {}
    for process, families in answers:
        for name, documentation, kind, samples in families:
            metric = merged.setdefault(name, Metric(name, documentation, kind))
            for sample, labels, value in samples:
                metric.add_sample(sample, {**labels, "process": process}, value)
    return merged.values()


class _Collected(Collector):
    """What was collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """All of it."""
        return self._families


async def show(
    request: Request, registry: CollectorRegistry, operators: Operators | None, all_metrics: AllMetrics | None
) -> Response:
    """All numbers as they are now, in Prometheus' text format; if operators have a token, for who has it."""
    if operators:
        operators.check(request)
    shown = await all_metrics.collected() if all_metrics else registry
    # In a thread: to count the open files of ten thousand connections takes milliseconds.
    text = await asyncio.to_thread(generate_latest, shown)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
