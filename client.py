"""The terminal client: `python client.py` chats with Diego."""

import argparse
import asyncio
import contextlib
import io
import itertools
import os
import random
import re
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlsplit

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

URL = "ws://127.0.0.1:8000/conversation"
HELP = """\
Type something and press Enter, and Diego replies.
  /teach X => Y   teaches him to answer Y when you say X
  /lessons        lists what you taught him
  /unteach N      takes away number N of that list
  /why            tells how he came to his last reply
  /export         shows all that he has kept about you
  /forget         erases all of that for good
  /help           shows this
  /quit           leaves, as does Ctrl-D
Ctrl-C drops the line you are typing, the arrow keys bring back earlier ones."""

CONNECT_SECONDS = 10.0
RETRY_SECONDS = (0.5, 1, 2, 4, 8, 15)
MAX_WAITING_LINES = 100
MAX_ATTEMPTS = 3
MAX_REPLY_BYTES = 64 * 1024 * 1024  # /export is answered in one frame

# What was said is not acceptable to the server, and would not be a second time: close codes of RFC 6455.
REFUSED = (1003, 1007, 1008, 1009)

# C0 and C1 controls drive the terminal; line separators and bidi overrides forge what seems to stand there.
_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# What a server may have kept here: printable ASCII, so that nothing in the file can become another header.
_COOKIE = re.compile("(?:__Host-)?diego=[!#-+\\--:<-\\[\\]-~]{1,1024}")
_NAME = re.compile("[A-Za-z0-9_-]{1,32}")

Lines = asyncio.Queue[str | None]
Show = Callable[[str], Awaitable[None]]


class Unreachable(Exception):
    """There is no Diego to talk to, or no longer; the message is a sentence."""


def printable(text: str) -> str:
    """The text with its control characters, except line breaks, as escapes."""
    return _UNSAFE.sub(lambda found: ascii(found.group())[1:-1], text)


def conversation_url(address: str) -> str:
    """The WebSocket's URL for what people type: that, the page's URL, or `host:port`."""
    try:
        parts = urlsplit(address if "://" in address else f"ws://{address}")
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme) if valid else ""
    if scheme not in ("ws", "wss"):
        raise Unreachable(f"{printable(address)} is no address of a Diego; one looks like {URL}")
    return parts._replace(scheme=scheme, path=parts.path.rstrip("/") or "/conversation", fragment="").geturl()


def server_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a WebSocket's URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)


class Visitor:
    """Who the server at a URL takes this person for: whom it gave the cookie, which is kept in a file for the next run.

    What another client has stored there since counts, as a browser's cookie does for all its tabs. Where there can be
    no file, the cookie is kept in memory.
    """

    def __init__(self, url: str, file: Path | None) -> None:
        self._url = url
        self._file = file
        self._cookie = ""

    async def connect(self) -> ClientConnection:
        """A connection as this visitor. Raises Unreachable."""
        try:
            connecting = connect(
                self._url,
                open_timeout=CONNECT_SECONDS,
                max_size=MAX_REPLY_BYTES,
                additional_headers={"Cookie": cookie} if (cookie := self._stored()) else None,
            )
            connection = await connecting
        except (OSError, WebSocketException, ValueError) as error:
            reason = f"{printable(self._url)} ({printable(reason_for(error))})"
            raise Unreachable(f"Diego cannot be reached at {reason}. Start him with: make run") from None
        # A cookie of the server that this one redirects to must not be sent to this one the next time.
        if connection.response and server_of(connecting.uri) == server_of(self._url):
            self._keep(connection.response.headers.get_all("Set-Cookie"))
        return connection

    def forget(self) -> None:
        """Be a stranger the next time."""
        self._cookie = ""
        try:
            if self._file:
                self._file.unlink(missing_ok=True)
        except OSError:
            self._file = None

    def _stored(self) -> str:
        """The value of the header Cookie, empty for a stranger."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if self._file and _COOKIE.fullmatch(stored := self._file.read_text(encoding="ascii")):
                self._cookie = stored
        return self._cookie

    def _keep(self, set_cookies: Sequence[str]) -> None:
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


def replace(file: Path, text: str) -> None:
    """Write a file that only its owner reads; whoever reads it finds all of the old text or all of the new one."""
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    os.close(descriptor)
    own = Path(name)
    try:
        own.write_text(text, encoding="ascii")
        own.replace(file)
    except OSError:
        own.unlink()
        raise


def reason_for(error: Exception) -> str:
    """Why there is no connection."""
    match error:
        case TimeoutError():
            return f"no answer within {CONNECT_SECONDS:.0f} s"
        case ssl.SSLError():
            return error.reason or str(error)
        case OSError():
            return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        case _:
            return str(error)


async def ask(connection: ClientConnection, text: str) -> str:
    """Diego's reply."""
    # Bytes that are not UTF-8, on the command line or at the prompt, come as lone surrogates, which cannot be sent.
    await connection.send(text.encode("utf-8", "replace").decode())
    return printable(str(await connection.recv()))


def reason_of(closed: ConnectionClosed) -> str:
    """What the server said when it closed the connection."""
    if closed.rcvd is None:
        return "The connection to Diego was lost."
    return printable(closed.rcvd.reason) or f"Diego closed the connection ({closed.rcvd.code})."


async def next_line(connection: ClientConnection, lines: Lines, show: Show) -> str | None:
    """What is to be said next, None at the end; until then, show what comes without having been asked for.

    Raises ConnectionClosed if the connection ends before.
    """
    getting = asyncio.create_task(lines.get())
    listening = asyncio.create_task(listen(connection, show))
    try:
        await asyncio.wait({getting, listening}, return_when=asyncio.FIRST_COMPLETED)
        return getting.result() if getting.done() else await listening
    finally:
        getting.cancel()
        listening.cancel()
        await asyncio.gather(getting, listening, return_exceptions=True)  # no two may receive at a time


async def listen(connection: ClientConnection, show: Show) -> NoReturn:
    """Show what comes. Raises ConnectionClosed."""
    while True:
        message = printable(str(await connection.recv()))
        await asyncio.shield(show(message))  # a line that is typed meanwhile ends the listening, not the showing


async def answer_lines(visitor: Visitor, lines: Lines) -> None:
    """Print the reply to each line and nothing else, for scripts. Raises Unreachable."""
    async with await visitor.connect() as connection:
        try:
            while (line := await next_line(connection, lines, show_aside)) is not None:
                print(await ask(connection, line), flush=True)
        except ConnectionClosed as closed:
            raise Unreachable(reason_of(closed)) from None


async def answer_once(visitor: Visitor, text: str) -> None:
    """Print the reply to the text."""
    lines: Lines = asyncio.Queue()
    lines.put_nowait(text)
    lines.put_nowait(None)
    await answer_lines(visitor, lines)


async def answer_input(visitor: Visitor) -> None:
    """Print the reply to each line of standard input that is not blank."""
    lines: Lines = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        # A file of its own: Python waits at its end for whoever reads sys.stdin. RuntimeError: the loop has ended.
        with contextlib.suppress(RuntimeError), open(sys.stdin.fileno(), "rb", closefd=False) as input_:
            for line in input_:
                while lines.qsize() >= MAX_WAITING_LINES:
                    time.sleep(0.01)
                if text := line.decode("utf-8", "replace").strip():
                    loop.call_soon_threadsafe(lines.put_nowait, text)
            loop.call_soon_threadsafe(lines.put_nowait, None)

    if sys.stdin:
        # No thread of the loop's: those are waited for at the end, and this one may wait for the keyboard.
        threading.Thread(target=read, daemon=True).start()
    else:
        lines.put_nowait(None)
    await answer_lines(visitor, lines)


async def show(text: str) -> None:
    """Print above the prompt, if there is one."""
    await run_in_terminal(lambda: print(text, flush=True))


async def show_aside(text: str) -> None:
    """Print where it does not get among the replies."""
    print(text, file=sys.stderr, flush=True)


async def converse(visitor: Visitor) -> None:
    """Chat at a prompt until the person leaves. Raises Unreachable if Diego is not there at the start."""
    connection = await visitor.connect()
    lines: Lines = asyncio.Queue(MAX_WAITING_LINES)
    talking = asyncio.create_task(talk(connection, visitor, lines))
    await show("You are talking to Diego. /help helps, Ctrl-D leaves.")
    prompting = asyncio.create_task(prompt(lines))
    await asyncio.wait({talking, prompting}, return_when=asyncio.FIRST_COMPLETED)
    talking.cancel()
    prompting.cancel()
    for ended in await asyncio.gather(talking, prompting, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    await show("Goodbye!")


async def prompt(lines: Lines) -> None:
    """Hand on what the person types, until they leave. prompt_toolkit reads the keyboard between the loop's events."""
    session: PromptSession[str] = PromptSession("> ", history=history())
    while True:
        try:
            line = (await session.prompt_async()).strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if line == "/quit":
            return
        if line == "/help":
            await show(HELP)
        elif lines.full():
            await show("Diego has not replied to so much yet; this is one too many.")
        elif line:
            lines.put_nowait(line)


async def talk(connection: ClientConnection, visitor: Visitor, lines: Lines) -> None:
    """Show the reply to each line. Connect again as often as it takes, and ask again what had no reply.

    But no command, which may have been carried out: to take away lesson 2 twice is to take away another one.
    """
    line: str | None = None
    attempts = losses = 0
    while True:
        try:
            while True:
                line = line or await next_line(connection, lines, show)
                if line is None:
                    return
                attempts += 1
                await show(await ask(connection, line))
                line, attempts, losses = None, 0, 0
        except ConnectionClosed as closed:
            await show(f"{reason_of(closed)} Connecting again …")
            refused = closed.rcvd is not None and closed.rcvd.code in REFUSED
        connection = await reconnect(visitor, losses)
        losses += 1
        await show("Connected again.")
        if line and (refused or attempts == MAX_ATTEMPTS or line.startswith("/")):
            await show("Diego has no reply to what you said last.")
            line, attempts = None, 0


async def reconnect(visitor: Visitor, losses: int) -> ClientConnection:
    """A new connection, tried for at intervals that grow with every try and every loss without a reply in between."""
    for tries in itertools.count(losses):
        # Not all clients at the same moment.
        seconds = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)] * random.uniform(0.5, 1)  # noqa: S311 - no secret
        await asyncio.sleep(seconds)
        with contextlib.suppress(Unreachable):
            return await visitor.connect()
    raise AssertionError("count() does not end")


def state_file(name: str) -> Path | None:
    """Where something is kept for the next run, in a folder that only its owner reads; None where it cannot be."""
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "diego"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder / name


def history() -> History:
    """The lines typed earlier, in a file that only its owner reads; in memory where there can be no file."""
    with contextlib.suppress(OSError):
        if file := state_file("history"):
            file.touch(mode=0o600)
            return FileHistory(file)
    return InMemoryHistory()


def visitor_file(url: str, name: str | None) -> Path | None:
    """Where the cookie of the visitor to that server is kept who goes by that name here, or by none."""
    scheme, host, port = server_of(url)
    parts = ["visitor", scheme, quote(host, safe="", errors="replace"), str(port)]
    return state_file("+".join([*parts, name] if name else parts))


def main() -> None:
    """Chat, or answer what is asked on the command line or comes through a pipe."""
    parser = argparse.ArgumentParser(description="Chat with Diego.")
    parser.add_argument("url", nargs="?", default=URL, metavar="URL", help=f"where he is; default: {URL}")
    parser.add_argument("--once", metavar="TEXT", help="print the reply to TEXT and exit")
    parser.add_argument("--as", dest="name", metavar="NAME", help="be another visitor, the one you call NAME")
    parser.add_argument("--new", action="store_true", help="come as a stranger, and be this one from now on")
    arguments = parser.parse_args()
    if arguments.name is not None and not _NAME.fullmatch(arguments.name):
        sys.exit(f"{arguments.name!a} is no name for --as: use 1 to 32 letters (a-z, A-Z), digits, - and _.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        url = conversation_url(arguments.url)
        visitor = Visitor(url, visitor_file(url, arguments.name))
        if arguments.new:
            visitor.forget()
        if arguments.once is not None:
            asyncio.run(answer_once(visitor, arguments.once))
        elif sys.stdin and sys.stdin.isatty() and sys.stdout.isatty():
            asyncio.run(converse(visitor))
        else:
            asyncio.run(answer_input(visitor))
    except Unreachable as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Nobody reads the replies any more, as in `… | head -1`; nor can Python flush them at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(f"The reply cannot be printed: {error.strerror}.")


if __name__ == "__main__":
    main()
