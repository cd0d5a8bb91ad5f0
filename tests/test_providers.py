import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from chatbot.providers import STATE_KEY, ProviderError, Providers

View = Callable[..., Awaitable[Any]]


@pytest.fixture
def providers() -> Providers:
    return Providers()


@pytest.fixture
def events() -> list[str]:
    return []


def app_with(providers: Providers, *views: View) -> Starlette:
    """Each view is at /, /1, /2 …"""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, object]]:
        async with providers.app_lifetime(app.routes) as values:
            yield {STATE_KEY: values}

    routes = [Route(f"/{number or ''}", providers.inject(view)) for number, view in enumerate(views)]
    return Starlette(routes=routes, lifespan=lifespan)


def get(providers: Providers, view: View) -> Any:
    """What the view answers to one request."""
    with TestClient(app_with(providers, view)) as client:
        return client.get("/").json()


async def nothing() -> Response:
    return JSONResponse(None)


class TestValues:
    def test_a_view_gets_what_its_parameters_name(self, providers: Providers) -> None:
        @providers.provider
        def greeting() -> str:
            return "Hi"

        @providers.provider
        async def name() -> str:
            return "Diego"

        @providers.provider
        def sentence(greeting: str, name: str) -> str:
            return f"{greeting}, {name}"

        async def view(sentence: str) -> Response:
            return JSONResponse(sentence)

        assert get(providers, view) == "Hi, Diego"

    def test_generators_give_what_they_yield(self, providers: Providers) -> None:
        @providers.provider
        def one() -> Iterator[int]:
            yield 1

        @providers.provider(scope="app")
        async def two() -> AsyncIterator[int]:
            yield 2

        async def view(one: int, two: int) -> Response:
            return JSONResponse([one, two])

        assert get(providers, view) == [1, 2]

    def test_a_factory_may_give_a_context_manager(self, providers: Providers, events: list[str]) -> None:
        @providers.provider
        def visit() -> Callable[[str], Any]:
            @contextmanager
            def visit(name: str) -> Iterator[None]:
                events.append(f"{name} comes")
                yield
                events.append(f"{name} goes")

            return visit

        async def view(visit: Callable[[str], Any]) -> Response:
            with visit("Ana"):
                events.append("chat")
            return JSONResponse(None)

        get(providers, view)
        assert events == ["Ana comes", "chat", "Ana goes"]

    def test_the_request_can_be_asked_for(self, providers: Providers) -> None:
        @providers.provider
        def path(request: Request) -> str:
            return request.url.path

        async def view(path: str, request: Request) -> Response:
            return JSONResponse([path, request.method])

        assert get(providers, view) == ["/", "GET"]

    def test_the_websocket_can_be_asked_for(self, providers: Providers) -> None:
        async def view(ws: WebSocket) -> None:
            await ws.accept()
            await ws.send_text("Hi")
            await ws.close()

        app = app_with(providers)
        app.router.routes.append(WebSocketRoute("/ws", providers.inject(view)))
        with TestClient(app) as client, client.websocket_connect("/ws") as ws:
            assert ws.receive_text() == "Hi"

    def test_either_can_be_asked_for_as_the_connection(self, providers: Providers) -> None:
        @providers.provider
        def kind(connection: HTTPConnection) -> str:
            return type(connection).__name__

        async def view(kind: str, connection: HTTPConnection, request: Request) -> Response:
            return JSONResponse([kind, connection is request])

        async def chat(kind: str, connection: HTTPConnection, ws: WebSocket) -> None:
            await ws.accept()
            await ws.send_json([kind, connection is ws])
            await ws.close()

        app = app_with(providers, view)
        app.router.routes.append(WebSocketRoute("/ws", providers.inject(chat)))
        with TestClient(app) as client, client.websocket_connect("/ws") as ws:
            assert client.get("/").json() == ["Request", True]
            assert ws.receive_json() == ["WebSocket", True]

    def test_a_parameter_with_a_default_is_no_provider(self, providers: Providers) -> None:
        async def view(limit: int = 10) -> Response:
            return JSONResponse(limit)

        assert get(providers, view) == 10


class TestLifetimes:
    def test_an_app_value_is_built_once_before_the_app_is_ready_and_closed_with_it(
        self, providers: Providers, events: list[str]
    ) -> None:
        @providers.provider(scope="app")
        def bot() -> Iterator[str]:
            events.append("built")
            yield "bot"
            events.append("closed")

        async def view(bot: str) -> Response:
            return JSONResponse(bot)

        with TestClient(app_with(providers, view, view)) as client:
            assert events == ["built"]
            client.get("/")
            client.get("/1")
        assert events == ["built", "closed"]

    def test_an_app_value_that_no_view_needs_is_not_built(self, providers: Providers, events: list[str]) -> None:
        @providers.provider(scope="app")
        def unused() -> None:
            events.append("built")

        get(providers, nothing)
        assert events == []

    def test_a_connection_value_is_built_for_each_connection_and_closed_with_it(
        self, providers: Providers, events: list[str]
    ) -> None:
        @providers.provider
        def visit() -> Iterator[None]:
            events.append("opened")
            yield
            events.append("closed")

        async def view(visit: None) -> Response:
            events.append("viewed")
            return JSONResponse(visit)

        with TestClient(app_with(providers, view)) as client:
            client.get("/")
            client.get("/")
        assert events == ["opened", "viewed", "closed"] * 2

    def test_two_providers_of_a_connection_share_what_both_need(self, providers: Providers) -> None:
        @providers.provider
        def shared() -> object:
            return object()

        @providers.provider
        def one(shared: object) -> object:
            return shared

        @providers.provider
        def other(shared: object) -> object:
            return shared

        async def view(one: object, other: object) -> Response:
            return JSONResponse(one is other)

        assert get(providers, view) is True

    @pytest.mark.anyio
    async def test_an_app_value_is_built_once_under_concurrent_first_calls(self, providers: Providers) -> None:
        @providers.provider(scope="app")
        async def slow() -> object:
            await asyncio.sleep(0)
            return object()

        async with providers.app_lifetime([]) as values:
            first, second = await asyncio.gather(values.get("slow"), values.get("slow"))
        assert first is second

    @pytest.mark.anyio
    async def test_a_value_whose_building_failed_is_built_at_the_next_call(self, providers: Providers) -> None:
        attempts = iter([OSError("not yet"), None])

        @providers.provider(scope="app")
        def flaky() -> str:
            if error := next(attempts):
                raise error
            return "there"

        async with providers.app_lifetime([]) as values:
            with pytest.raises(OSError, match="not yet"):
                await values.get("flaky")
            assert await values.get("flaky") == "there"


class TestCleanUp:
    @pytest.fixture
    def chain(self, providers: Providers, events: list[str]) -> Providers:
        """`last` needs `middle`, which fails to clean up; that needs `first`."""

        @providers.provider
        async def first() -> AsyncIterator[None]:
            yield
            events.append("first")

        @providers.provider
        def middle(first: None) -> Iterator[None]:
            yield first
            events.append("middle")
            raise OSError("cannot be closed")

        @providers.provider
        def last(middle: None) -> Iterator[None]:
            yield middle
            events.append("last")

        return providers

    def test_it_runs_in_reverse_order_all_of_it_even_when_one_fails(self, chain: Providers, events: list[str]) -> None:
        async def view(last: None) -> Response:
            return JSONResponse(last)

        with pytest.raises(OSError, match="cannot be closed"):
            get(chain, view)
        assert events == ["last", "middle", "first"]

    def test_it_runs_when_the_view_raised(self, chain: Providers, events: list[str]) -> None:
        async def view(last: None) -> Response:
            raise LookupError(last)

        with pytest.raises(OSError, match="cannot be closed") as raised:
            get(chain, view)
        assert isinstance(raised.value.__context__, LookupError)
        assert events == ["last", "middle", "first"]

    def test_it_runs_for_what_was_built_when_the_next_cannot_be(self, providers: Providers, events: list[str]) -> None:
        @providers.provider(scope="app")
        def opened() -> Iterator[None]:
            yield
            events.append("closed")

        @providers.provider(scope="app")
        def broken(opened: None) -> None:
            raise OSError("cannot be built", opened)

        async def view(broken: None) -> Response:
            return JSONResponse(broken)

        with pytest.raises(OSError, match="cannot be built"):
            get(providers, view)
        assert events == ["closed"]

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_a_second_yield_is_an_error(self, providers: Providers, kind: str) -> None:
        def sync_twice() -> Iterator[int]:
            yield 1
            yield 2

        async def async_twice() -> AsyncIterator[int]:
            yield 1
            yield 2

        function: Callable[[], Any] = sync_twice if kind == "sync" else async_twice
        function.__name__ = function.__qualname__ = "twice"
        providers.provider(function)

        async def view(twice: int) -> Response:
            return JSONResponse(twice)

        with pytest.raises(ProviderError, match="twice yields twice"):
            get(providers, view)


class TestReplacing:
    def test_declaring_a_name_again_replaces_it(self, providers: Providers) -> None:
        def declare(said: str) -> None:
            @providers.provider(scope="app")
            def diego() -> str:
                return said

        async def view(diego: str) -> Response:
            return JSONResponse(diego)

        declare("the bot")
        declare("an echo")
        assert get(providers, view) == "an echo"

    def test_an_override_lasts_as_long_as_its_block_also_in_a_running_app(self, providers: Providers) -> None:
        @providers.provider(scope="app")
        def diego() -> str:
            return "the bot"

        async def view(diego: str) -> Response:
            return JSONResponse(diego)

        with TestClient(app_with(providers, view)) as client:
            with providers.override(diego=lambda: "an echo"):
                assert client.get("/").json() == "an echo"
                assert get(providers, view) == "an echo"
            assert client.get("/").json() == "the bot"

    def test_an_override_keeps_the_scope(self, providers: Providers, events: list[str]) -> None:
        @providers.provider(scope="app")
        def diego() -> None: ...

        async def view(diego: None) -> Response:
            return JSONResponse(diego)

        with providers.override(diego=lambda: events.append("built")), TestClient(app_with(providers, view)) as client:
            client.get("/")
            client.get("/")
        assert events == ["built"]

    def test_an_override_ends_with_its_block_also_when_that_fails(self, providers: Providers) -> None:
        @providers.provider
        def diego() -> str:
            return "the bot"

        async def view(diego: str) -> Response:
            return JSONResponse(diego)

        with suppress(OSError), providers.override(diego=lambda: "an echo"):
            raise OSError
        assert get(providers, view) == "the bot"

    def test_only_what_is_declared_can_be_overridden(self, providers: Providers) -> None:
        @providers.provider
        def diego() -> None: ...

        with (
            pytest.raises(ProviderError, match=r"asks for deigo,.* Did you mean diego\?"),
            providers.override(deigo=str),
        ):
            pass


class TestWhatIsRefusedAtTheStart:
    def refused(self, providers: Providers, view: View) -> str:
        with pytest.raises(ProviderError) as refused:
            get(providers, view)
        return str(refused.value)

    def test_an_unknown_name_with_the_nearest_match(self, providers: Providers) -> None:
        @providers.provider
        def diego() -> None: ...

        async def view(deigo: None) -> Response:
            return JSONResponse(deigo)

        sentence = "The view view asks for deigo, which no provider declares. Did you mean diego?"
        assert self.refused(providers, view) == sentence

    def test_an_unknown_name_that_a_provider_asks_for(self, providers: Providers) -> None:
        @providers.provider
        def diego(corpora: None) -> None: ...

        async def view(diego: None) -> Response:
            return JSONResponse(diego)

        sentence = "The provider diego asks for corpora, which no provider declares. There are diego."
        assert self.refused(providers, view) == sentence

    def test_a_cycle_with_its_path(self, providers: Providers) -> None:
        @providers.provider
        def hen(egg: None) -> None: ...

        @providers.provider
        def egg(hen: None) -> None: ...

        async def view(hen: None) -> Response:
            return JSONResponse(hen)

        assert "hen → egg → hen" in self.refused(providers, view)

    def test_an_app_value_that_asks_for_a_connections(self, providers: Providers) -> None:
        @providers.provider
        def visitor() -> None: ...

        @providers.provider(scope="app")
        def clients(visitor: None) -> None: ...

        async def view(clients: None) -> Response:
            return JSONResponse(clients)

        assert "The provider clients lives as long as the app, but asks for visitor" in self.refused(providers, view)

    def test_an_app_value_that_asks_for_the_connection(self, providers: Providers) -> None:
        @providers.provider(scope="app")
        def clients(request: Request) -> None: ...

        async def view(clients: None) -> Response:
            return JSONResponse(clients)

        assert "The provider clients lives as long as the app, but asks for request" in self.refused(providers, view)

    def test_an_app_value_that_asks_for_either(self, providers: Providers) -> None:
        @providers.provider(scope="app")
        def cookies(connection: HTTPConnection) -> None: ...

        async def view(cookies: None) -> Response:
            return JSONResponse(cookies)

        assert "The provider cookies lives as long as the app, but asks for connection" in self.refused(providers, view)

    def test_a_misspelt_connection(self, providers: Providers) -> None:
        async def view(conection: None) -> Response:
            return JSONResponse(conection)

        assert self.refused(providers, view).endswith("Did you mean connection?")

    def test_a_websocket_where_there_is_a_request(self, providers: Providers) -> None:
        async def view(ws: WebSocket) -> Response:
            return JSONResponse(str(ws))

        assert self.refused(providers, view).startswith("The view view asks for ws, which no provider declares.")

    def test_what_a_mounted_view_asks_for(self, providers: Providers) -> None:
        async def view(deigo: None) -> Response:
            return JSONResponse(deigo)

        app = app_with(providers)
        app.router.routes.append(Mount("/inside", routes=[Route("/", providers.inject(view))]))
        with pytest.raises(ProviderError, match="The view view asks for deigo"), TestClient(app):
            pass

    def test_a_scope_that_there_is_not(self, providers: Providers) -> None:
        with pytest.raises(ProviderError, match="diego has the scope 'request'; it must be 'connection' or 'app'."):

            @providers.provider(scope="request")  # type: ignore[call-overload, untyped-decorator]
            def diego() -> None: ...

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_a_generator_that_yields_nothing(self, providers: Providers, kind: str) -> None:
        def sync_nothing() -> Iterator[int]:
            yield from ()

        async def async_nothing() -> AsyncIterator[int]:
            for never in range(0):
                yield never

        function: Callable[[], Any] = sync_nothing if kind == "sync" else async_nothing
        function.__name__ = "empty"
        providers.provider(scope="app")(function)

        async def view(empty: int) -> Response:
            return JSONResponse(empty)

        assert self.refused(providers, view) == "The provider empty is a generator, but yields nothing."

    def test_an_override_of_an_app_value_that_asks_for_a_connections(self, providers: Providers) -> None:
        @providers.provider
        def visitor() -> None: ...

        @providers.provider(scope="app")
        def clients() -> None: ...

        async def view(clients: None) -> Response:
            return JSONResponse(clients)

        with (
            TestClient(app_with(providers, view)) as client,
            providers.override(clients=lambda visitor: visitor),
            pytest.raises(ProviderError, match="visitor lives as long as one connection"),
        ):
            client.get("/")

    def test_a_plain_view_may_have_any_parameters(self, providers: Providers) -> None:
        async def plain(req: Request) -> Response:
            return JSONResponse(req.method)

        @functools.wraps(plain)
        async def decorated(req: Request) -> Response:
            return await plain(req)

        app = app_with(providers)
        app.router.routes.append(Route("/plain", decorated))
        with TestClient(app) as client:
            assert client.get("/plain").json() == "GET"

    def test_a_provider_that_cannot_be_called_by_names(self, providers: Providers) -> None:
        with pytest.raises(ProviderError, match=r"^diego\(\*names: str\) cannot be called by names"):

            @providers.provider
            def diego(*names: str) -> None: ...

    def test_a_request_to_an_app_that_was_not_started(self, providers: Providers) -> None:
        client = TestClient(app_with(providers, nothing))
        with pytest.raises(ProviderError, match=r"The app has not started.*with TestClient\(app\)"):
            client.get("/")
