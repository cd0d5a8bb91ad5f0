"""How the name of a view's parameter becomes a value.

A provider is a function: its name is the name of what it provides, its parameters are the providers it needs, as with
pytest's fixtures. It may be sync or async; in a generator, what follows `yield` is clean-up. Its value lives as long
as one connection or, with `@provider(scope="app")`, as long as the app. `ws` and `request` are the connection itself,
`connection` either of them.
"""

import asyncio
import difflib
import functools
import inspect
from collections import defaultdict
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, get_args, overload

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from chatbot import SetupError

Scope = Literal["connection", "app"]
Function = TypeVar("Function", bound=Callable[..., Any])
Endpoint = Callable[[Any], Awaitable[Any]]

STATE_KEY = "app_lifetime"
"""Where an app's lifespan state holds the values of its app-scoped providers."""


class ProviderError(SetupError):
    """The providers do not fit together; the message names the place and the way out."""


@dataclass(frozen=True, eq=False)
class Provider:
    """A declaration. Declaring the name again makes another one, with a value of its own (hence `eq=False`)."""

    function: Callable[..., Any]
    scope: Scope
    needs: tuple[str, ...]


class Providers:
    """Providers by name."""

    def __init__(self) -> None:
        self._declared: dict[str, Provider] = {}
        self._views: dict[Endpoint, tuple[str, tuple[str, ...]]] = {}

    @overload
    def provider(self, function: Function) -> Function: ...

    @overload
    def provider(self, *, scope: Scope = "connection") -> Callable[[Function], Function]: ...

    def provider(self, function: Any = None, *, scope: Scope = "connection") -> Any:
        """Declare a provider, in place of an earlier one of that name."""
        if function is None:
            return functools.partial(self.provider, scope=scope)
        if scope not in get_args(Scope):
            raise ProviderError(f"{function.__name__} has the scope {scope!r}; it must be 'connection' or 'app'.")
        self._declared[function.__name__] = Provider(function, scope, _needs(function))
        return function

    @contextmanager
    def override(self, **functions: Callable[..., Any]) -> Iterator[None]:
        """Put other functions in the place of the named providers; the old ones come back at the end."""
        before = dict(self._declared)
        for name, function in functions.items():
            self._declared[name] = Provider(function, self.find(name, "override()").scope, _needs(function))
        try:
            yield
        finally:
            self._declared = before

    def inject(self, view: Callable[..., Awaitable[Any]], uses: Sequence[str] = ()) -> Endpoint:
        """An endpoint that calls the view with what its parameters name, after what it uses for what that does."""
        needs = _needs(view)

        async def endpoint(connection: HTTPConnection) -> Any:
            given = dict.fromkeys((_connection_name(connection), "connection"), connection)
            async with Lifetime(self, _app_lifetime(connection), given) as values:
                for name in uses:
                    await values.get(name)
                return await view(**{name: await values.get(name) for name in needs})

        self._views[endpoint] = view.__name__, (*uses, *needs)
        return endpoint

    @asynccontextmanager
    async def app_lifetime(self, routes: Iterable[BaseRoute]) -> AsyncIterator["Lifetime"]:
        """Check what the views of the routes ask for, then build their app-scoped providers; at the end close them.

        Raises ProviderError: an unknown name, a cycle, an app-scoped provider that asks for a per-connection one.
        """
        needed = [name for route in _with_mounted(routes) for name in self._check(route)]
        async with Lifetime(self) as values:
            for name in needed:
                if self._declared[name].scope == "app":
                    await values.get(name)
            yield values

    def find(self, name: str, asker: str) -> Provider:
        """The provider of that name; ProviderError with the nearest names otherwise."""
        if name in self._declared:
            return self._declared[name]
        near = difflib.get_close_matches(name, [*self._declared, "ws", "request", "connection"], n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(self._declared)) or 'none'}."
        raise ProviderError(f"{asker} asks for {name}, which no provider declares. {hint}")

    def _check(self, route: Route | WebSocketRoute) -> list[str]:
        """The names that the view needs, directly or not, each after those that it needs itself."""
        if route.endpoint not in self._views:
            return []
        view, needs = self._views[route.endpoint]
        asking = f"The view {view}"
        given = "ws" if isinstance(route, WebSocketRoute) else "request"
        found: dict[str, None] = {}

        def visit(name: str, path: tuple[str, ...]) -> None:
            asker = f"The provider {path[-1]}" if path else asking
            if name in path:
                raise ProviderError(f"Providers ask for each other in a circle: {' → '.join([*path, name])}.")
            provider = None if name in (given, "connection") else self.find(name, asker)
            lives_with_connection = provider is None or provider.scope == "connection"
            if lives_with_connection and path and self._declared[path[-1]].scope == "app":
                raise ProviderError(
                    f"{asker} lives as long as the app, but asks for {name}, which lives as long as one connection. "
                    f'Declare {name} with @provider(scope="app"), or {path[-1]} without.'
                )
            if provider:
                for need in provider.needs:
                    visit(need, (*path, name))
                found[name] = None

        for name in needs:
            visit(name, ())
        return list(found)


class Lifetime:
    """The values of one connection or of the app: each is built once, and closed in reverse order at the end."""

    def __init__(
        self, providers: Providers, parent: "Lifetime | None" = None, given: Mapping[str, object] | None = None
    ) -> None:
        self._providers = providers
        self._parent = parent
        self._given = given or {}
        self._values: dict[Provider, object] = {}
        self._locks: defaultdict[Provider, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._generators: list[Generator[object, None, None] | AsyncGenerator[object, None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        closing = AsyncExitStack()
        for generator in self._generators:
            closing.push_async_callback(_finish, generator)
        # They are not told of the error: a generator goes on after its `yield`, whatever has happened.
        await closing.__aexit__(kind, error, trace)

    async def get(self, name: str) -> Any:
        """The value of that name; concurrent first calls get the same one."""
        if name in self._given:
            return self._given[name]
        provider = self._providers.find(name, "A view")
        if provider.scope == "app" and self._parent:
            return await self._parent.get(name)
        if provider.scope == "connection" and not self._parent:
            raise ProviderError(
                f"{name} lives as long as one connection, and is asked for by what lives as long as the app."
            )
        if provider not in self._values:
            async with self._locks[provider]:
                if provider not in self._values:
                    self._values[provider] = await self._build(provider)
            self._locks.pop(provider, None)  # a connection may last for days, and there are many
        return self._values[provider]

    async def _build(self, provider: Provider) -> object:
        function = provider.function
        value = function(**{name: await self.get(name) for name in provider.needs})
        if inspect.isgeneratorfunction(function):
            self._generators.append(value)
            for first in value:
                return first
            raise _yields_nothing(function)
        if inspect.isasyncgenfunction(function):
            self._generators.append(value)
            async for first in value:
                return first
            raise _yields_nothing(function)
        return await value if inspect.iscoroutinefunction(function) else value


def _yields_nothing(function: Callable[..., Any]) -> ProviderError:
    return ProviderError(f"The provider {function.__name__} is a generator, but yields nothing.")


async def _finish(generator: Generator[object, None, None] | AsyncGenerator[object, None]) -> None:
    if isinstance(generator, AsyncGenerator):
        async for _ in generator:
            raise _yields_twice(generator)
    else:
        for _ in generator:
            raise _yields_twice(generator)


def _yields_twice(generator: Any) -> ProviderError:
    return ProviderError(f"The provider {generator.__name__} yields twice; what follows its yield is clean-up.")


def _with_mounted(routes: Iterable[BaseRoute]) -> Iterator[Route | WebSocketRoute]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _with_mounted(route.routes)
        elif isinstance(route, Route | WebSocketRoute):
            yield route


def _needs(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters that have no default."""
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ProviderError(
                f"{function.__name__}({parameter}) cannot be called by names; give it plain parameters, one for each "
                "provider that it needs."
            )
    return tuple(parameter.name for parameter in parameters if parameter.default is parameter.empty)


def _connection_name(connection: HTTPConnection) -> str:
    return "ws" if connection.scope["type"] == "websocket" else "request"


def _app_lifetime(connection: HTTPConnection) -> Lifetime:
    try:
        lifetime: Lifetime = connection.scope["state"][STATE_KEY]
    except KeyError:
        raise ProviderError(
            "The app has not started. Serve it with its lifespan on, or in tests use `with TestClient(app)`."
        ) from None
    return lifetime
