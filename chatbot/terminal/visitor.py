"""Who a server takes the person at this terminal for."""

import contextlib
import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from chatbot.terminal.connecting import CONNECT_SECONDS, refused, server_of, unreachable
from chatbot.terminal.files import replace, state_file

JSON = Subprotocol("diego.v1+json")
MAX_REPLY_BYTES = 64 * 1024 * 1024  # /export is answered in one frame

# What a server may have kept here: printable ASCII, so that nothing in the file can become another header.
_COOKIE = re.compile("(?:__Host-)?diego=[!#-+\\--:<-\\[\\]-~]{1,1024}")

_NAME = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,32}")
_PLAIN = re.compile("[A-Za-z0-9_-]+")


class Visitor:
    """Who the server at a URL takes this person for: whom it gave the cookie, which is kept in a file for the next run.

    What another client has stored there since counts, as a browser's cookie does for all its tabs. Where there can be
    no file, the cookie is kept in memory.
    """

    def __init__(self, url: str, file: Path | None) -> None:
        self.url = url
        self._file = file
        self._cookie = ""

    async def connect(self) -> ClientConnection:
        """A connection as this visitor. Raises Unreachable, and Refused."""
        try:
            connecting = connect(
                self.url,
                open_timeout=CONNECT_SECONDS,
                subprotocols=[JSON],
                max_size=MAX_REPLY_BYTES,
                additional_headers={"Cookie": cookie} if (cookie := self.cookie()) else None,
            )
            connection = await connecting
        except InvalidStatus as error:
            answer = error.response
            raise refused(answer.status_code, answer.headers, answer.body) or unreachable(self.url, error) from None
        except (OSError, WebSocketException, ValueError) as error:
            raise unreachable(self.url, error) from None
        # A cookie of the server that this one redirects to must not be sent to this one the next time.
        if connection.response and server_of(connecting.uri) == server_of(self.url):
            self.keep(connection.response.headers.get_all("Set-Cookie"))
        return connection

    def forget(self) -> None:
        """Be a stranger the next time."""
        self._cookie = ""
        try:
            if self._file:
                self._file.unlink(missing_ok=True)
        except OSError:
            self._file = None

    def cookie(self) -> str:
        """The value of the header Cookie, empty for a stranger."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if self._file and _COOKIE.fullmatch(stored := self._file.read_text(encoding="ascii")):
                self._cookie = stored
        return self._cookie

    def keep(self, set_cookies: Sequence[str]) -> None:
        """Do what the headers Set-Cookie say. An empty value takes the cookie away."""
        for pair in (header.partition(";")[0].strip() for header in set_cookies):
            if _COOKIE.fullmatch(pair):
                self._store(pair)
            elif pair in ("diego=", "__Host-diego="):
                self.forget()

    def _store(self, cookie: str) -> None:
        self._cookie = cookie
        try:
            if self._file:
                replace(self._file, cookie)
        except OSError:
            self._file = None


def read_name(text: str) -> str:
    """The name in NFC and with single spaces only; empty if it is none, or too long, or has control characters."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    return name if _NAME.fullmatch(name) else ""


def visitor_file(url: str, name: str) -> Path | None:
    """Where the cookie of the visitor to that server is kept who goes by that name here, or by none."""
    scheme, host, port = server_of(url)
    parts = ["visitor", scheme, quote(host, safe="", errors="replace"), str(port)]
    return state_file("+".join([*parts, _file_part(name)] if name else parts))


def _file_part(name: str) -> str:
    # 32 characters of any script are at most 172 so; percent-encoded they might be more than a file's name may have.
    return name if _PLAIN.fullmatch(name) else "=" + urlsafe_b64encode(name.encode()).decode()
