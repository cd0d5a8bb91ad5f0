"""Who a visitor is: a random number in a signed cookie."""

import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import HTTPConnection

from chatbot import SetupError
from chatbot.settings import MIN_KEY_CHARACTERS

MAX_AGE_SECONDS = 365 * 24 * 3600
"""How long a visitor may stay away and still be known."""

# The number, the time and the signature. The last character of the signature has two bits that do not count: others
# than these would be other spellings of the same cookie.
_SIGNED = re.compile(r"[0-9a-f]{32}\.[\w-]+\.[\w-]{42}[AEIMQUYcgkosw048]", re.ASCII)


class Cookies:
    """Cookies that nobody else can make.

    The first key signs; what was signed with any of them is known, so keys can be changed without losing anybody.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.use(keys)

    def use(self, keys: Sequence[str]) -> None:
        """Sign with other keys from now on."""
        self._signer = TimestampSigner([*reversed(keys)], salt="diego.visitor", digest_method=sha256)

    def visitor(self, connection: HTTPConnection) -> str | None:
        """The visitor's number, 32 hexadecimal digits; None if there is no cookie, or a forged or an old one.

        A cookie from the near future is fine: clocks of machines differ.
        """
        signed = connection.cookies.get(_name(connection), "")
        if _SIGNED.fullmatch(signed):
            with suppress(BadSignature):
                visitor, signed_at = self._signer.unsign(signed, return_timestamp=True)
                if self._signer.get_timestamp() - signed_at.timestamp() < MAX_AGE_SECONDS:
                    return visitor.decode()
        return None

    def header(self, connection: HTTPConnection, visitor: str) -> str:
        """The value of the header Set-Cookie that makes whoever is at the other end this visitor."""
        return self._cookie(connection, self._signer.sign(visitor).decode(), MAX_AGE_SECONDS)

    def removal(self, connection: HTTPConnection) -> str:
        """The value of the header Set-Cookie that takes the cookie away."""
        return self._cookie(connection, "", 0)

    def _cookie(self, connection: HTTPConnection, value: str, max_age: int) -> str:
        secure = "; Secure" if _secure(connection) else ""
        return f"{_name(connection)}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"


def new_visitor() -> str:
    """A number that nobody has: 128 random bits."""
    return secrets.token_hex(16)


def load_key(file: Path) -> str:
    """The secret key in a file that only its owner may read; made by the first who asks. Raises SetupError."""
    try:
        if not file.exists():
            _make_key(file)
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error  # without the name of a passing file
        raise SetupError(
            f"The secret key in {file} cannot be read or made: {reason}. See that its folder exists and that both may "
            "be read and written, name another database with DIEGO_DATABASE_URL, or take a backup back with "
            "python -m chatbot restore FILE."
        ) from None
    if len(key) < MIN_KEY_CHARACTERS:
        raise SetupError(
            f"The key in {file} is shorter than {MIN_KEY_CHARACTERS} characters. If there is a backup, take it back "
            "with python -m chatbot restore FILE. Otherwise delete that file, Diego then makes a new one; visitors who "
            "were here before are then new ones."
        )
    return key


def _make_key(file: Path) -> None:
    # Written elsewhere and then linked, so that nobody reads half a key, and of two who make one both take the same.
    own = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    own.touch(mode=0o600)
    try:
        own.write_text(secrets.token_hex(32), encoding="ascii")
        with suppress(FileExistsError):  # somebody else was first
            os.link(own, file)
    finally:
        own.unlink()


def _secure(connection: HTTPConnection) -> bool:
    return connection.scope["scheme"] in ("https", "wss")


def _name(connection: HTTPConnection) -> str:
    # Browsers take a __Host- cookie only from this very host over TLS, so that no other site of the domain can set it.
    return "__Host-diego" if _secure(connection) else "diego"
