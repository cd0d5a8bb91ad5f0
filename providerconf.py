"""What a view may ask for by name."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial

from prometheus_client import CollectorRegistry
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from chatbot.bot.backup import complete
from chatbot.bot.database import database_path, is_file
from chatbot.bot.diary import Diary
from chatbot.bot.diego import Diego
from chatbot.bot.storage import KnowledgeStorage
from chatbot.providers import Providers
from chatbot.settings import Settings, load_settings
from chatbot.shared.calls import Calls
from chatbot.shared.link import Link
from chatbot.shared.register import Register
from chatbot.web import rest
from chatbot.web.addresses import network
from chatbot.web.cookies import Cookies, load_key, new_visitor
from chatbot.web.counting import Alone, Census
from chatbot.web.door import Rules
from chatbot.web.gauges import Gauges
from chatbot.web.health import Readiness
from chatbot.web.history import History
from chatbot.web.insights import NO_STORE
from chatbot.web.metrics import AllMetrics, Metrics
from chatbot.web.operators import Operators
from chatbot.web.other_rooms import OtherRooms
from chatbot.web.people import People
from chatbot.web.places import Connections
from chatbot.web.rates import CountAsked, Rates
from chatbot.web.relay import Relay
from chatbot.web.room import Room
from chatbot.web.sockets import Sockets
from chatbot.web.tab import Tab
from chatbot.web.tasks import keep_up
from chatbot.web.threads import Threads
from chatbot.web.visitors import Chatbot, Visitor, Visitors

CountClients = Callable[[], int]
SaveClient = Callable[[Tab], AbstractContextManager[None]]
SecretKeys = Callable[[], Sequence[str]]

providers = Providers()
provider = providers.provider


@provider(scope="app")
def settings() -> Settings:
    """What the environment says. What is kept where it says is whole: a restore that was interrupted is completed."""
    settings = load_settings()
    complete(settings)
    return settings


@provider(scope="app")
def diego(settings: Settings, census: Census, diary: Diary) -> Iterator[Diego]:
    """The bot."""
    bot = Diego(settings, count_clients=census.count_from_thread, diary=diary)
    yield bot
    bot.close()


@provider(scope="app")
def diary(settings: Settings, threads: Threads, metrics: Metrics) -> Iterator[Diary]:
    """What is kept of the visitors."""
    diary = Diary(settings.visitors_url, threads.soon)
    diary.turns.on_commit.append(metrics.turns_per_commit.observe)
    diary.on_forget.append(lambda _visitor: metrics.forgotten.inc())
    yield diary
    diary.close()


@provider(scope="app")
def threads(settings: Settings, metrics: Metrics) -> Iterator[Threads]:
    """Where replies are computed."""
    threads = Threads(settings.max_waiting_replies, settings.reply_seconds, metrics.refusals["busy"].inc)
    yield threads
    threads.close()


@provider(scope="app")
def metrics() -> Iterator[Metrics]:
    """What is counted."""
    metrics = Metrics()
    watching = asyncio.create_task(keep_up(metrics.watch_loop))
    yield metrics
    watching.cancel()


@provider(scope="app")
def registry(  # noqa: PLR0913, PLR0917 - it has to do with everything
    metrics: Metrics,
    clients: set[Tab],
    visitors: Visitors,
    people: People,
    threads: Threads,
    diego: Diego,
    settings: Settings,
) -> CollectorRegistry:
    """All that can be watched."""
    metrics.registry.register(Gauges(clients, visitors, people, threads, diego, settings))
    return metrics.registry


@provider(scope="app")
async def all_metrics(registry: CollectorRegistry, link: Link | None, calls: Calls | None) -> AllMetrics | None:
    """The same of all processes; None if there is but one."""
    if link is None or calls is None:
        return None
    all_metrics = AllMetrics(link.process, registry, calls)
    await all_metrics.open()
    return all_metrics


@provider(scope="app")
def readiness(settings: Settings, threads: Threads, diego: Chatbot, diary: Diary) -> Readiness:  # noqa: ARG001
    """Whether visitors may come: when the bot and the diary are there, and while their files can be read."""
    urls = dict.fromkeys((settings.database_url, settings.visitors_url))
    # An echo has no file.
    return Readiness(threads, [url for url in urls if not is_file(url) or database_path(url).exists()])


@provider(scope="app")
def clients() -> set[Tab]:
    """Everybody who is in a conversation with Diego."""
    return set()


@provider(scope="app")
def people() -> People:
    """Everybody who is in the room."""
    return People()


@provider(scope="app")
def count_clients(clients: set[Tab], people: People) -> CountClients:
    """How many are chatting by this process, with Diego or in the room with everybody."""
    return lambda: len(clients) + len(people)


@provider(scope="app")
async def link(settings: Settings) -> AsyncIterator[Link | None]:
    """What joins the processes; None if there is but one."""
    if not settings.redis_url:
        yield None
        return
    link = Link(settings.redis_url)
    keeping = asyncio.create_task(keep_up(link.run))
    await link.tried.wait()
    yield link
    keeping.cancel()
    await asyncio.wait([keeping])


@provider(scope="app")
async def calls(link: Link | None) -> Calls | None:
    """What the processes ask each other; None if there is but one."""
    if link is None:
        return None
    calls = Calls(link)
    await calls.open()
    return calls


@provider(scope="app")
async def register(link: Link | None, clients: set[Tab]) -> AsyncIterator[Register | None]:
    """What the processes say of themselves; None if there is but one."""
    if link is None:
        yield None
        return
    register = Register(link, clients.__len__)
    await register.open()
    saying = asyncio.create_task(keep_up(register.run))
    yield register
    saying.cancel()
    await asyncio.wait([saying])


@provider(scope="app")
def census(register: Register | None, count_clients: CountClients, connections: Connections) -> Census:
    """How many are chatting with all processes."""
    return register or Alone(count_clients, connections)


@provider
def save_client(clients: set[Tab]) -> SaveClient:
    """Counts a client as long as its block lasts, which begins before the connection is accepted."""

    @contextmanager
    def save(client: Tab) -> Iterator[None]:
        clients.add(client)
        try:
            yield
        finally:
            clients.remove(client)

    return save


@provider(scope="app")
def secret_keys(settings: Settings, diary: Diary) -> SecretKeys:
    """What cookies are signed with: without a setting, what is in a file beside SQLite's, or in PostgreSQL."""
    own_key = partial(load_key, settings.key_file) if settings.keeps_files else diary.secret_key
    return lambda: settings.secret_key or [own_key()]


@provider(scope="app")
def cookies(secret_keys: SecretKeys, diary: Diary) -> Cookies:
    """Who is who. With a backup, another key may be restored."""
    cookies = Cookies(secret_keys())
    diary.on_restore.append(lambda: cookies.use(secret_keys()))
    return cookies


@provider(scope="app")
async def visitors(threads: Threads, diary: Diary, metrics: Metrics, calls: Calls | None) -> AsyncIterator[Visitors]:
    """Everybody who has a tab open."""
    visitors = Visitors(threads, diary, metrics, calls)
    await visitors.open()
    watching = asyncio.create_task(keep_up(visitors.watch))
    yield visitors
    watching.cancel()


@provider(scope="app")
def rules(settings: Settings) -> Rules:
    """Who may come in."""
    return Rules(settings)


@provider(scope="app")
def connections(settings: Settings, register: Register | None) -> Connections:
    """How many may be connected."""
    return Connections(settings, register)


@provider(scope="app")
def sockets(rules: Rules, connections: Connections, link: Link | None, calls: Calls | None) -> Sockets:
    """The connections to the room."""
    return Sockets(rules, connections, Relay(link.process, calls) if link and calls else None)


@provider(scope="app")
async def room(  # noqa: PLR0913, PLR0917 - as above
    diego: Diego,
    threads: Threads,
    diary: Diary,
    people: People,
    sockets: Sockets,
    metrics: Metrics,
    link: Link | None,
    register: Register | None,
) -> AsyncIterator[Room]:
    """Where everybody talks with everybody."""
    elsewhere = OtherRooms(link, register) if link and register else None
    room = Room(diego, threads, diary, people, sockets, metrics, elsewhere)
    await room.open()
    yield room
    await room.close()


@provider(scope="app")
def rates(settings: Settings, metrics: Metrics, link: Link | None) -> Rates:
    """How much one may ask."""
    return Rates(settings.rate_limit, settings.rate_limit_per_address, metrics.refusals["rate"].inc, link)


@provider
async def within_limits(request: Request, rates: Rates, cookies: Cookies) -> None:
    """Counts the request. Raises HTTPException if it is one too many: before anything else is done for it."""
    address = network(request)
    await rest.count(rates, cookies.visitor(request) or address, address)


@provider
async def visitor_id(connection: HTTPConnection, cookies: Cookies, threads: Threads, diary: Diary) -> str:
    """The visitor's number; a new one for who comes without a cookie, or with that of a visitor who was forgotten."""
    known = cookies.visitor(connection)
    if known and not await threads.run(diary.forgotten.__contains__, known):
        return known
    return new_visitor()


@provider
def visitor_headers(connection: HTTPConnection, cookies: Cookies, visitor_id: str) -> dict[str, str]:
    """What a response to a visitor carries: the cookie, which no cache may hand to others."""
    return {"Set-Cookie": cookies.header(connection, visitor_id), "Cache-Control": "no-store"}


@provider
def visitor(visitor_id: str, visitors: Visitors) -> Visitor:
    """Who is at the other end, the same in all tabs."""
    return visitors.visitor(visitor_id)


@provider
async def session_place(request: Request, connections: Connections) -> AsyncIterator[ExitStack]:
    """A place for the session of a client that polls, if the request is to begin one."""
    with ExitStack() as held:
        if not request.query_params.get("sid"):
            place = connections.one_from(network(request))
            await place.take()
            held.callback(place.give_back)
        yield held


@provider
async def admitted_id(visitor_id: str, connections: Connections) -> AsyncIterator[str]:
    """The visitor's number, for a WebSocket: it is one of those that the visitor may have."""
    async with connections.one_of(visitor_id):
        yield visitor_id


@provider
def count_asked(connection: HTTPConnection, rates: Rates, visitor_id: str) -> CountAsked:
    """What is to be called for everything that the visitor asks."""
    return partial(rates.take, visitor_id, network(connection))


@provider
def tab(ws: WebSocket, cookies: Cookies, admitted_id: str, count_asked: CountAsked) -> Iterator[Tab]:
    """What this connection shows."""
    tab = Tab(ws, cookies.header(ws, admitted_id), count_asked)
    yield tab
    tab.stop_reading()


@provider(scope="app")
def operators(settings: Settings, secret_keys: SecretKeys, diary: Diary) -> Operators | None:
    """Who may see how Diego does; None if nobody may. As for visitors, another key may be restored."""
    if not settings.admin_token:
        return None
    operators = Operators(settings.admin_token, secret_keys())
    diary.on_restore.append(lambda: operators.use(secret_keys()))
    return operators


@provider
def operator_headers(connection: HTTPConnection, operators: Operators) -> dict[str, str]:
    """What a response to an operator carries; nobody else gets one."""
    operators.check(connection)
    return NO_STORE


@provider(scope="app")
async def history(
    operators: Operators | None, census: Census, metrics: Metrics, calls: Calls | None
) -> AsyncIterator[History]:
    """The last ten minutes, if there is somebody to look at them."""
    history = History(census.last_count, metrics.reply_times, calls)
    await history.open()
    watching = asyncio.create_task(keep_up(history.watch)) if operators else None
    yield history
    if watching:
        watching.cancel()


@provider(scope="app")
def knowledge(settings: Settings, operators: Operators | None) -> Iterator[KnowledgeStorage | None]:
    """What Diego was trained on, for operators to change; None if there are none."""
    if operators is None:
        yield None
    else:
        with closing(KnowledgeStorage(database_uri=settings.database_url)) as storage:
            yield storage
