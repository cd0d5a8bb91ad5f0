"""Who may see what operators see: whoever has the token, in a header or, once signed in, in a cookie."""

import secrets
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from itsdangerous import BadSignature, TimestampSigner
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.routing import Match, Route
from starlette.types import Scope

from chatbot.web.addresses import network

OPERATORS = "operators"
"""Where the app's lifespan state holds them; None if there is no token."""

MAX_AGE_SECONDS = 12 * 3600
"""How long somebody who has signed in may stay."""

MOST_WRONG = 5
MOST_WRONG_IN_ALL = 50
WRONG_SECONDS = 60.0
"""Within this time, so many wrong tokens are looked at from one network, and from all."""

MOST_TRUSTED = 20
"""How many networks a right token came from lately: what others do wrong does not keep them out."""

SIGN_IN = "Sign in at /insights, or send the token of DIEGO_ADMIN_TOKEN: Authorization: Bearer TOKEN."
WRONG = "That is not the token. It is what whoever runs Diego has put into DIEGO_ADMIN_TOKEN."
TOO_MANY = "Too many wrong tokens have come. Try again in {seconds} s."

_BEARER = {"WWW-Authenticate": "Bearer"}


class _Wrong(NamedTuple):
    at: float
    came_from: str
    digest: bytes


class Operators:
    """Knows operators by the token, and by cookies that another token or another secret key makes invalid."""

    def __init__(self, token: str, keys: Sequence[str]) -> None:
        self._token = token
        self.use(keys)
        self._wrong: deque[_Wrong] = deque(maxlen=MOST_WRONG_IN_ALL)
        self._trusted: deque[str] = deque(maxlen=MOST_TRUSTED)

    def use(self, keys: Sequence[str]) -> None:
        """Sign with other keys from now on."""
        # With the key, nobody who gets hold of a cookie can try tokens on it.
        signing = [f"{key} {self._token}" for key in reversed(keys)]
        self._signer = TimestampSigner(signing, salt="diego.operator", digest_method=sha256)

    def signed_in(self, connection: HTTPConnection) -> bool:
        """Whether a connection comes with the cookie."""
        with suppress(BadSignature):
            self._signer.unsign(connection.cookies.get(_name(connection), ""), max_age=MAX_AGE_SECONDS)
            return True
        return False

    def check(self, connection: HTTPConnection) -> None:
        """Raises HTTPException unless a connection comes with the cookie or the token."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self.check_token(connection, token.strip())
        elif not self.signed_in(connection):
            raise HTTPException(401, SIGN_IN, _BEARER)

    def check_token(self, connection: HTTPConnection, token: str) -> None:
        """Raises HTTPException unless this is the token, or if too many wrong ones have come."""
        came_from = network(connection)
        self._refuse_if_too_many(came_from)
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
            self._note_wrong(came_from, token)
            raise HTTPException(401, WRONG, _BEARER)
        if came_from not in self._trusted:
            self._trusted.append(came_from)

    def _note_wrong(self, came_from: str, token: str) -> None:
        """Note a wrong token, but once: a program that goes on with an old one guesses nothing."""
        digest = sha256(token.encode("utf-8", "replace")).digest()
        if (came_from, digest) not in ((one.came_from, one.digest) for one in self._wrong):
            self._wrong.append(_Wrong(time.monotonic(), came_from, digest))

    def header(self, connection: HTTPConnection) -> str:
        """The value of the header Set-Cookie that makes whoever is at the other end an operator."""
        return _cookie(connection, self._signer.sign("operator").decode(), MAX_AGE_SECONDS)

    def removal(self, connection: HTTPConnection) -> str:
        """The value of the header Set-Cookie that takes that away."""
        return _cookie(connection, "", 0)

    def _refuse_if_too_many(self, came_from: str) -> None:
        now = time.monotonic()
        while self._wrong and self._wrong[0].at <= now - WRONG_SECONDS:
            self._wrong.popleft()
        own = [one.at for one in self._wrong if one.came_from == came_from]
        all_too_many = len(self._wrong) == MOST_WRONG_IN_ALL and came_from not in self._trusted
        if len(own) >= MOST_WRONG or all_too_many:
            first = self._wrong[0].at if all_too_many else own[0]
            seconds = int(first + WRONG_SECONDS - now) + 1
            raise HTTPException(429, TOO_MANY.format(seconds=seconds), {"Retry-After": str(seconds)})


class OperatorRoute(Route):
    """A route that is not there unless there is a token."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As of every route."""
        there = scope.get("state", {}).get(OPERATORS)
        return super().matches(scope) if there else (Match.NONE, {})


def _cookie(connection: HTTPConnection, value: str, max_age: int) -> str:
    secure = "; Secure" if _secure(connection) else ""
    return f"{_name(connection)}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}"


def _secure(connection: HTTPConnection) -> bool:
    secure: bool = connection.scope["scheme"] == "https"
    return secure


def _name(connection: HTTPConnection) -> str:
    return "__Host-diego-operator" if _secure(connection) else "diego-operator"
