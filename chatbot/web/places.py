"""How many connections there may be at a time."""

from contextlib import suppress

from chatbot.settings import Settings
from chatbot.shared.link import Unreachable
from chatbot.shared.register import ADDRESS, ALL, VISITOR, Register
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
    """Those connections that are counted together by a key, and what is said to one too many. 0 is no limit.

    With a register they are counted over all processes, under that name.
    """

    def __init__(self, most: int, status: int, sentence: str, name: str = "", register: Register | None = None) -> None:
        self._most = most
        self._refusal = status, sentence.format(most), {"Retry-After": str(RETRY_SECONDS)}
        self._name = name
        self._register = register
        self._taken: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._taken)

    def one(self, key: str) -> "Place":
        """A place for one more with that key."""
        return Place((self, key))

    def check(self, key: str) -> None:
        """Raises Refused if there is none."""
        if self._most and self._taken.get(key, 0) >= self._most:
            raise Refused("connections", *self._refusal)

    async def check_everywhere(self, key: str) -> None:
        """Raises Refused if there are too many together with those of other processes, when this one has counted."""
        if self._most and self._register:
            with suppress(Unreachable):
                if await self._register.total(self._name, key) > self._most:
                    raise Refused("connections", *self._refusal)

    def take(self, key: str) -> None:
        """Count one more."""
        self._set(key, self._taken.get(key, 0) + 1)

    def give_back(self, key: str) -> None:
        """Count one less."""
        self._set(key, self._taken[key] - 1)

    def _set(self, key: str, number: int) -> None:
        if number:
            self._taken[key] = number
        else:
            del self._taken[key]
        if self._register:
            self._register.note(self._name, key, number or "")


class Place:
    """One place of each of several kinds, or of none, from `take` to `give_back` or as long as a block lasts.

    Each connection has one, so it is small: a function with `contextlib.contextmanager` takes ten times as much.
    """

    __slots__ = ("_kinds",)

    def __init__(self, *kinds: tuple[Places, str]) -> None:
        self._kinds = kinds

    async def take(self) -> None:
        """Raises Refused, and takes none, if there is none of any kind."""
        for places, key in self._kinds:
            places.check(key)
        for places, key in self._kinds:
            places.take(key)
        try:
            for places, key in self._kinds:
                await places.check_everywhere(key)
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Leave it to others."""
        for places, key in self._kinds:
            places.give_back(key)

    async def __aenter__(self) -> None:
        await self.take()

    async def __aexit__(self, *_: object) -> None:
        self.give_back()


class Connections:
    """All WebSockets, and the sessions in the room of clients that poll."""

    def __init__(self, settings: Settings, register: Register | None = None) -> None:
        self._all = Places(settings.max_connections, 503, FULL, ALL, register)
        self._addresses = Places(settings.max_connections_per_address, 429, FULL_FOR_ADDRESS, ADDRESS, register)
        self._visitors = Places(settings.max_connections_per_visitor, 429, FULL_FOR_VISITOR, VISITOR, register)

    @property
    def visitors(self) -> int:
        """How many visitors are connected to this process."""
        return len(self._visitors)

    def one_from(self, network: str) -> Place:
        """A place for one more from a network of `chatbot.web.addresses`."""
        return Place((self._addresses, network), (self._all, ""))

    def one_of(self, visitor: str) -> Place:
        """A place for one more of a visitor."""
        return self._visitors.one(visitor)
