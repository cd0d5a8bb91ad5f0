"""What an operator can watch, in numbers for Prometheus: nothing of what anybody says, nor who it is."""

from typing import Literal, get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from starlette.responses import Response
from starlette.types import Scope

Refusal = Literal["host", "origin", "connections", "rate", "busy"]
"""Why a connection, a request or a message was refused."""

METRICS = "metrics"
"""Where the app's lifespan state holds them, for what stands before the views."""


class Metrics:
    """What is counted where it happens. Threads may share it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        refusals = Counter(
            "diego_refusals", "Connections, requests and messages that were refused", ["reason"], registry=self.registry
        )
        self.refusals = {reason: refusals.labels(reason) for reason in get_args(Refusal)}


def refused(scope: Scope, reason: Refusal) -> None:
    """Count a refusal; the scope is that of the connection."""
    metrics: Metrics = scope["state"][METRICS]
    metrics.refusals[reason].inc()


async def show(metrics: Metrics) -> Response:
    """All numbers as they are now, in Prometheus' text format."""
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
