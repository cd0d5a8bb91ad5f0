"""What a view may ask for by name."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket

from chatbot.providers import Providers
from chatbot.settings import Settings, load_settings
from chatbot.web.conversation import Conversation
from chatbot.web.threads import Threads

if TYPE_CHECKING:
    from chatbot.bot.diego import Diego

SaveClient = Callable[[Conversation], AbstractContextManager[None]]

providers = Providers()
provider = providers.provider


@provider(scope="app")
def settings() -> Settings:
    """What the environment says."""
    return load_settings()


@provider(scope="app")
def diego(settings: Settings, clients: set[Conversation]) -> "Iterator[Diego]":
    """The bot."""
    # ChatterBot takes most of a second to import: a wrong setting is told before that, and Ctrl-C heard meanwhile.
    from chatbot.bot.diego import Diego  # noqa: PLC0415

    bot = Diego(settings, count_clients=lambda: len(clients))
    yield bot
    bot.close()


@provider(scope="app")
def threads() -> Iterator[Threads]:
    """Where replies are computed."""
    threads = Threads()
    yield threads
    threads.close()


@provider(scope="app")
def clients() -> set[Conversation]:
    """Everybody who is chatting."""
    return set()


@provider
def save_client(clients: set[Conversation]) -> SaveClient:
    """Counts a client as long as its block lasts, which begins before the connection is accepted."""

    @contextmanager
    def save(client: Conversation) -> Iterator[None]:
        clients.add(client)
        try:
            yield
        finally:
            clients.remove(client)

    return save


@provider
def conversation(ws: WebSocket, threads: Threads) -> Iterator[Conversation]:
    """The conversation with the client of this connection."""
    conversation = Conversation(ws, threads)
    yield conversation
    conversation.stop_reading()
