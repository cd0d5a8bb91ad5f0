"""What a view may ask for by name."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from starlette.websockets import WebSocket

from chatbot.bot.diego import Diego
from chatbot.providers import Providers
from chatbot.settings import Settings, load_settings
from chatbot.web.conversation import Conversation

THREADS = 32
"""How many replies are computed at once; the others wait. So many slow ones (they ask a service) delay none."""

SaveClient = Callable[[Conversation], AbstractContextManager[None]]

providers = Providers()
provider = providers.provider


@provider(scope="app")
def settings() -> Settings:
    """What the environment says."""
    return load_settings()


@provider(scope="app")
def diego(settings: Settings) -> Iterator[Diego]:
    """The bot."""
    bot = Diego(settings)
    yield bot
    bot.close()


@provider(scope="app")
def threads() -> Iterator[ThreadPoolExecutor]:
    """Where replies are computed, so that the event loop is never held up."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="reply")
    yield pool
    pool.shutdown(wait=False, cancel_futures=True)


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
def conversation(ws: WebSocket, threads: ThreadPoolExecutor) -> Iterator[Conversation]:
    """The conversation with the client of this connection."""
    conversation = Conversation(ws, threads)
    yield conversation
    conversation.close()
