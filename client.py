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
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

URL = "ws://127.0.0.1:8000/conversation"
HELP = """\
Type something and press Enter, and Diego replies.
  /help   shows this
  /quit   leaves, as does Ctrl-D
Ctrl-C drops the line you are typing, the arrow keys bring back earlier ones."""

CONNECT_SECONDS = 10.0
RETRY_SECONDS = (0.5, 1, 2, 4, 8, 15)
MAX_WAITING_LINES = 100
MAX_ATTEMPTS = 3

# What was said is not acceptable to the server, and would not be a second time: close codes of RFC 6455.
REFUSED = (1003, 1007, 1008, 1009)

# C0 and C1 controls drive the terminal; line separators and bidi overrides forge what seems to stand there.
_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


Lines = asyncio.Queue[str | None]


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


async def open_connection(url: str) -> ClientConnection:
    """A connection. Raises Unreachable."""
    try:
        return await connect(url, open_timeout=CONNECT_SECONDS)
    except TimeoutError:
        reason = f"no answer within {CONNECT_SECONDS:.0f} s"
    except ssl.SSLError as error:
        reason = error.reason or str(error)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    except (WebSocketException, ValueError) as error:
        reason = str(error)
    raise Unreachable(f"Diego cannot be reached at {printable(url)} ({printable(reason)}). Start him with: make run")


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


async def next_line(connection: ClientConnection, lines: Lines) -> str | None:
    """What is to be said next, None at the end. Raises ConnectionClosed if the connection ends before."""
    getting = asyncio.create_task(lines.get())
    closing = asyncio.create_task(connection.wait_closed())
    try:
        await asyncio.wait({getting, closing}, return_when=asyncio.FIRST_COMPLETED)
        while not getting.done():
            await connection.recv()
        return await getting
    finally:
        getting.cancel()
        closing.cancel()


async def answer_lines(url: str, lines: Lines) -> None:
    """Print the reply to each line and nothing else, for scripts. Raises Unreachable."""
    async with await open_connection(url) as connection:
        try:
            while (line := await next_line(connection, lines)) is not None:
                print(await ask(connection, line), flush=True)
        except ConnectionClosed as closed:
            raise Unreachable(reason_of(closed)) from None


async def answer_once(url: str, text: str) -> None:
    """Print the reply to the text."""
    lines: Lines = asyncio.Queue()
    lines.put_nowait(text)
    lines.put_nowait(None)
    await answer_lines(url, lines)


async def answer_input(url: str) -> None:
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
    await answer_lines(url, lines)


async def show(text: str) -> None:
    """Print above the prompt, if there is one."""
    await run_in_terminal(lambda: print(text, flush=True))


async def converse(url: str) -> None:
    """Chat at a prompt until the person leaves. Raises Unreachable if Diego is not there at the start."""
    connection = await open_connection(url)
    lines: Lines = asyncio.Queue(MAX_WAITING_LINES)
    talking = asyncio.create_task(talk(connection, url, lines))
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
        elif line.startswith("/"):
            await show(f"There is no command {line.split()[0]}; /help shows those there are.")
        elif lines.full():
            await show("Diego has not replied to so much yet; this is one too many.")
        elif line:
            lines.put_nowait(line)


async def talk(connection: ClientConnection, url: str, lines: Lines) -> None:
    """Show the reply to each line. Connect again as often as it takes, and ask again what had no reply."""
    line: str | None = None
    attempts = losses = 0
    while True:
        try:
            while True:
                line = line or await next_line(connection, lines)
                if line is None:
                    return
                attempts += 1
                await show(await ask(connection, line))
                line, attempts, losses = None, 0, 0
        except ConnectionClosed as closed:
            await show(f"{reason_of(closed)} Connecting again …")
            refused = closed.rcvd is not None and closed.rcvd.code in REFUSED
        connection = await reconnect(url, losses)
        losses += 1
        await show("Connected again.")
        if line and (refused or attempts == MAX_ATTEMPTS):
            await show("Diego has no reply to what you said last.")
            line, attempts = None, 0


async def reconnect(url: str, losses: int) -> ClientConnection:
    """A new connection, tried for at intervals that grow with every try and every loss without a reply in between."""
    for tries in itertools.count(losses):
        # Not all clients at the same moment.
        seconds = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)] * random.uniform(0.5, 1)  # noqa: S311 - no secret
        await asyncio.sleep(seconds)
        with contextlib.suppress(Unreachable):
            return await open_connection(url)
    raise AssertionError("count() does not end")


def history() -> History:
    """The lines typed earlier, in a file that only its owner reads; in memory where there can be no file."""
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "diego"
        file = folder / "history"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except (OSError, RuntimeError):
        return InMemoryHistory()
    return FileHistory(file)


def main() -> None:
    """Chat, or answer what is asked on the command line or comes through a pipe."""
    parser = argparse.ArgumentParser(description="Chat with Diego.")
    parser.add_argument("url", nargs="?", default=URL, metavar="URL", help=f"where he is; default: {URL}")
    parser.add_argument("--once", metavar="TEXT", help="print the reply to TEXT and exit")
    arguments = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        url = conversation_url(arguments.url)
        if arguments.once is not None:
            asyncio.run(answer_once(url, arguments.once))
        elif sys.stdin and sys.stdin.isatty() and sys.stdout.isatty():
            asyncio.run(converse(url))
        else:
            asyncio.run(answer_input(url))
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
