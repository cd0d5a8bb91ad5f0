"""How many connections there may be at a time."""

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

    def one(self, key: str) -> "Place":
        """A place for one more with that key."""
        return Place((self, key))

    def check(self, key: str) -> None:
        """Raises Refused if there is none."""
        if self._most and self._taken.get(key, 0) >= self._most:
            raise Refused("connections", *self._refusal)

    def take(self, key: str) -> None:
        """Count one more."""
        self._taken[key] = self._taken.get(key, 0) + 1

    def give_back(self, key: str) -> None:
        """Count one less."""
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]


class Place:
    """One place of each of several kinds, or of none, from `take` to `give_back` or as long as a block lasts.

    Each connection has one, so it is small: a function with `contextlib.contextmanager` takes ten times as much.
    """

    __slots__ = ("_kinds",)

    def __init__(self, *kinds: tuple[Places, str]) -> None:
        self._kinds = kinds

    def take(self) -> None:
        """Raises Refused, and takes none, if there is none of any kind."""
        for places, key in self._kinds:
            places.check(key)
        for places, key in self._kinds:
            places.take(key)

    def give_back(self) -> None:
        """Leave it to others."""
        for places, key in self._kinds:
            places.give_back(key)

    __enter__ = take

    def __exit__(self, *_: object) -> None:
        self.give_back()


class Connections:
    """All WebSockets, and the sessions in the room of clients that poll."""

    def __init__(self, settings: Settings) -> None:
        self._all = Places(settings.max_connections, 503, FULL)
        self._addresses = Places(settings.max_connections_per_address, 429, FULL_FOR_ADDRESS)
        self._visitors = Places(settings.max_connections_per_visitor, 429, FULL_FOR_VISITOR)

    def one_from(self, network: str) -> Place:
        """A place for one more from a network of `chatbot.web.addresses`."""
        return Place((self._addresses, network), (self._all, ""))

    def one_of(self, visitor: str) -> Place:
        """A place for one more of a visitor."""
        return self._visitors.one(visitor)
