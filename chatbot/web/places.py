"""How many connections there may be at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from chatbot.settings import Settings
from chatbot.web.errors import Refused

RETRY_SECONDS = 10
"""When who is refused may come again."""

FULL = "So many are connected to Diego that there is no room for more. Please come again in a moment."
FULL_FOR_ADDRESS = (
    "There are {} connections from your address, and no more are taken. Close one, or come again in a moment. "
    "(DIEGO_MAX_CONNECTIONS_PER_ADDRESS says how many there may be.)"
)
FULL_FOR_VISITOR = "You have {} connections to Diego, and no more are taken. Close a tab or a terminal, and come again."


class Places:
    """Those connections that are counted together by a key, and what is said to one too many. 0 is no limit."""

    def __init__(self, most: int, status: int, sentence: str) -> None:
        self._most = most
        self._refusal = status, sentence.format(most), {"Retry-After": str(RETRY_SECONDS)}
        self._taken: dict[str, int] = {}

    @contextmanager
    def one(self, key: str) -> Iterator[None]:
        """One more for that key as long as the block lasts. Raises Refused."""
        taken = self._taken.get(key, 0)
        if self._most and taken >= self._most:
            raise Refused("connections", *self._refusal)
        self._taken[key] = taken + 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]


class Connections:
    """All WebSockets, and the sessions in the room of clients that poll."""

    def __init__(self, settings: Settings) -> None:
        self._all = Places(settings.max_connections, 503, FULL)
        self._addresses = Places(settings.max_connections_per_address, 429, FULL_FOR_ADDRESS)
        self._visitors = Places(settings.max_connections_per_visitor, 429, FULL_FOR_VISITOR)

    @contextmanager
    def one_from(self, network: str) -> Iterator[None]:
        """One more from a network of `chatbot.web.addresses`. Raises Refused."""
        with self._addresses.one(network), self._all.one(""):
            yield

    @contextmanager
    def one_of(self, visitor: str) -> Iterator[None]:
        """One more of a visitor. Raises Refused."""
        with self._visitors.one(visitor):
            yield
