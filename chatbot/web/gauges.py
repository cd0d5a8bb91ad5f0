"""The numbers for operators that are not counted but looked up when somebody asks."""

from collections.abc import Collection, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from chatbot.bot.database import size_of
from chatbot.bot.knowledge import Knowledge
from chatbot.settings import Settings
from chatbot.web.people import People
from chatbot.web.tab import Tab
from chatbot.web.threads import Threads
from chatbot.web.visitors import Chatbot, Visitors


class Gauges(Collector):
    """How things are now. A thread may ask."""

    def __init__(  # noqa: PLR0913, PLR0917 - it looks at everything
        self,
        clients: Collection[Tab],
        visitors: Visitors,
        people: People,
        threads: Threads,
        chatbot: Chatbot,
        settings: Settings,
    ) -> None:
        self._clients = clients
        self._visitors = visitors
        self._people = people
        self._threads = threads
        self._chatbot = chatbot
        self._databases = {"knowledge": settings.database_url, "visitors": settings.visitors_url}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All of them."""
        people = [*self._people.values()]  # in one go: the event loop's thread changes it
        yield _gauge(
            "diego_connections",
            "Connections, by where; those of the room over Socket.IO",
            "place",
            chat=len(self._clients),
            room=sum(person.tabs for person in people),
        )
        yield _gauge(
            "diego_people",
            "Visitors with a conversation open, and people in the room",
            "place",
            chat=len(self._visitors),
            room=len(people),
        )
        yield GaugeMetricFamily("diego_threads", "Threads in which replies are computed", len(self._threads))
        yield GaugeMetricFamily(
            "diego_calls_waiting", "Replies and lookups that wait for one of them", self._threads.waiting
        )
        yield _gauge(
            "diego_database_bytes",
            "The size of a database, with SQLite's write-ahead log; one of PostgreSQL's is both",
            "database",
            **{name: size_of(url) for name, url in self._databases.items()},
        )
        knowledge: Knowledge | None = getattr(self._chatbot, "knowledge", None)
        if knowledge:
            yield GaugeMetricFamily("diego_known_prompts", "Prompts that Diego knows", len(knowledge.index))
            yield GaugeMetricFamily(
                "diego_knowledge_timestamp_seconds", "When this process took over what he knows", knowledge.since
            )


def _gauge(name: str, help: str, label: str, **values: float) -> GaugeMetricFamily:  # noqa: A002 - Prometheus' word
    gauge = GaugeMetricFamily(name, help, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge
