"""Who may come in: by which name of this server, from which pages, and how many at a time."""

import logging
import re
import socket
from ipaddress import ip_address

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from chatbot.settings import Settings
from chatbot.web.addresses import network
from chatbot.web.errors import Refused, json_error
from chatbot.web.headers import sending_headers
from chatbot.web.places import Connections, Place

logger = logging.getLogger(__name__)

RULES, CONNECTIONS = "rules", "connections"
"""Where the app's lifespan state holds what the door goes by."""

NO_HOST = "A request must have one header Host: the name of this server, or its address, and perhaps a port."
UNKNOWN_HOST = (
    "Diego does not serve {}. Open him by an IP address or as localhost; or name this host in DIEGO_ALLOWED_HOSTS."
)
FOREIGN = (
    "Pages of {} may not do this here. Open Diego's own page; or name the other one's origin in DIEGO_ALLOWED_ORIGINS."
)
NO_ORIGIN = "A WebSocket must come with the header Origin here, because of DIEGO_REQUIRE_ORIGIN."
NOT_BELIEVED = (
    "%s sends X-Forwarded-For, and is not believed. If that is your proxy, set DIEGO_TRUSTED_PROXIES=%s: until then "
    "all who come through it count as one address. This is said once."
)

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{0,5})?", re.IGNORECASE)
_MOST_SHOWN = 200
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Rules:
    """By which names this server may be asked, and for which pages' sake."""

    def __init__(self, settings: Settings) -> None:
        # No other site can have a browser come by these names, as it could by a name of its own that leads here.
        names = {"localhost", "*.localhost", socket.gethostname().lower(), *settings.allowed_hosts}
        self._any_host = "*" in names
        self._hosts = frozenset(names)
        self._domains = tuple(name[1:] for name in names if name.startswith("*."))
        self._origins = frozenset(settings.allowed_origins)
        self._require_origin = settings.require_origin
        self._warned = False

    def check(self, scope: Scope) -> None:
        """Whether a connection may come in. Raises Refused if not."""
        self._check_host(scope)
        if scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS:
            self.check_origin(scope)
        if not self._warned:
            self._warn(scope)

    def check_origin(self, scope: Scope) -> None:
        """Whether the page that asks, if it is one, may do what changes something. Raises Refused if not."""
        origins = _values(scope, b"origin")
        if not origins and self._require_origin and scope["type"] == "websocket":
            raise Refused("origin", 403, NO_ORIGIN)
        if len(origins) > 1 or not all(self.allows_origin(origin, scope) for origin in origins):
            raise Refused("origin", 403, FOREIGN.format(" and ".join(origins)[:_MOST_SHOWN]))

    def allows_origin(self, origin: str, scope: Scope) -> bool:
        """Whether pages of that origin may do what the server's own may."""
        scheme = "https" if scope["scheme"] in ("https", "wss") else "http"
        return origin in self._origins or [origin] == [f"{scheme}://{host}" for host in _values(scope, b"host")]

    def _check_host(self, scope: Scope) -> None:
        hosts = _values(scope, b"host")
        found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if not found:
            raise Refused("host", 400, NO_HOST)
        name = found[1].lower()
        if not (self._any_host or name in self._hosts or name.endswith(self._domains) or _is_address(name)):
            raise Refused("host", 400, UNKNOWN_HOST.format(name))

    def _warn(self, scope: Scope) -> None:
        """Tell of a proxy that should perhaps be trusted; of one that is, the client is who the header names."""
        client = scope["client"][0] if scope.get("client") else ""
        forwarded = ",".join(_values(scope, b"x-forwarded-for"))
        if client and forwarded and client not in forwarded:
            self._warned = True
            logger.warning(NOT_BELIEVED, client, client)


def _values(scope: Scope, header: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


class Door:
    """ASGI middleware that lets in who may come, and sees to it that every response has the headers it needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or say why not, before anything else is done."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        send = sending_headers(scope, send)
        try:
            scope["state"][RULES].check(scope)
            place = _place(scope)
            await place.take()
        except Refused as refused:
            response = await json_error(HTTPConnection(scope), refused)
            await response(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            place.give_back()


def _place(scope: Scope) -> Place:
    """What a connection needs: a request passes by."""
    if scope["type"] != "websocket":
        return Place()
    connections: Connections = scope["state"][CONNECTIONS]
    return connections.one_from(network(HTTPConnection(scope)))
