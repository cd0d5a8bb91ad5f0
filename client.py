"""The terminal client: `python client.py` chats with Diego, `--room` with everybody."""

import argparse
import asyncio
import io
import os
import sys
import uuid
from collections.abc import Coroutine
from typing import Any, NoReturn

from prompt_toolkit import PromptSession
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from chatbot.terminal.asking import Asker, Show
from chatbot.terminal.connecting import URL, Unreachable, conversation_url, reconnect, until_first
from chatbot.terminal.lines import MAX_WAITING_LINES, Lines, history, piped, typed
from chatbot.terminal.screen import printable, show, show_aside
from chatbot.terminal.visitor import JSON, Visitor, read_name, visitor_file

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

MAX_ATTEMPTS = 3

# What was said is not acceptable to the server, and would not be a second time: close codes of RFC 6455.
REFUSED = (1003, 1007, 1008, 1009)


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
    """Show what comes, unless it is what happens in the visitor's other tabs. Raises ConnectionClosed."""
    while True:
        message = printable(str(await connection.recv()))
        if connection.subprotocol == JSON:
            continue
        await asyncio.shield(show(message))  # a line that is typed meanwhile ends the listening, not the showing


def new_id() -> str:
    """That of a message, so that it is answered once, however often it is sent."""
    return uuid.uuid4().hex


async def answer_lines(visitor: Visitor, lines: Lines) -> None:
    """Print the reply to each line and nothing else, for scripts. Raises Unreachable."""
    asker = Asker(show_aside)
    async with await visitor.connect() as connection:
        try:
            while (line := await next_line(connection, lines, show_aside)) is not None:
                print(await asker.ask(connection, line, new_id()), flush=True)
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
    await answer_lines(visitor, piped())


async def converse(visitor: Visitor) -> None:
    """Chat at a prompt until the person leaves. Raises Unreachable if Diego is not there at the start."""
    connection = await visitor.connect()
    lines: Lines = asyncio.Queue(MAX_WAITING_LINES)
    await show("You are talking to Diego. /help helps, Ctrl-D leaves.")
    await until_first(talk(connection, visitor, lines), prompt(lines))
    await show("Goodbye!")


async def prompt(lines: Lines) -> None:
    """Hand on what the person types, until they leave."""
    async for line in typed(PromptSession("> ", history=history())):
        if line == "/help":
            await show(HELP)
        elif lines.full():
            await show("Diego has not replied to so much yet; this is one too many.")
        else:
            lines.put_nowait(line)


async def talk(connection: ClientConnection, visitor: Visitor, lines: Lines) -> None:
    """Show the reply to each line. Connect again as often as it takes, and ask again what had no reply.

    But no command, which may have been carried out: to take away lesson 2 twice is to take away another one.
    """
    asker = Asker(show)
    line: str | None = None
    message_id = ""
    attempts = losses = 0
    while True:
        try:
            while True:
                if line is None:
                    line, message_id = await next_line(connection, lines, show), new_id()
                if line is None:
                    return
                attempts += 1
                await show(await asker.ask(connection, line, message_id))
                line, attempts, losses = None, 0, 0
        except ConnectionClosed as closed:
            await show(f"{reason_of(closed)} Connecting again …")
            refused = closed.rcvd is not None and closed.rcvd.code in REFUSED
        connection = await reconnect(visitor.connect, losses, show)
        losses += 1
        await show("Connected again.")
        if line and (refused or attempts == MAX_ATTEMPTS or line.startswith("/")):
            await show("Diego has no reply to what you said last.")
            line, attempts = None, 0


async def attend(visitor: Visitor, name: str) -> None:
    """Be in the room; without a terminal, say there what comes through standard input. Raises Unreachable."""
    from chatbot.terminal import room  # noqa: PLC0415 - what it imports would double the time until one can chat

    if at_terminal():
        await room.attend(visitor, name or room.login_name())
    elif not await room.say_input(visitor, name or room.login_name()):
        sys.exit(1)


def at_terminal() -> bool:
    """Whether a person types and reads."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Chat with Diego.")
    parser.add_argument("url", nargs="?", default=URL, metavar="URL", help=f"where he is; default: {URL}")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--once", metavar="TEXT", help="print the reply to TEXT and exit")
    where.add_argument("--room", action="store_true", help="go into the room, where everybody talks to everybody")
    parser.add_argument(
        "--as", dest="name", metavar="NAME", help="be another visitor, the one you call NAME, also in the room"
    )
    parser.add_argument("--new", action="store_true", help="come as a stranger, and be this one from now on")
    return parser


def _what_to_do(arguments: argparse.Namespace, visitor: Visitor, name: str) -> Coroutine[Any, Any, None]:
    if arguments.room:
        return attend(visitor, name)
    if arguments.once is not None:
        return answer_once(visitor, arguments.once)
    return converse(visitor) if at_terminal() else answer_input(visitor)


def main() -> None:
    """Chat, answer what is asked on the command line or comes through a pipe, or be in the room."""
    arguments = _parser().parse_args()
    name = read_name(arguments.name or "")
    if arguments.name is not None and not name:
        sys.exit(f"{arguments.name!a} is no name for --as: use 1 to 32 characters, none of them a control character.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        url = conversation_url(arguments.url)
        visitor = Visitor(url, visitor_file(url, name))
        if arguments.new:
            visitor.forget()
        asyncio.run(_what_to_do(arguments, visitor, name))
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
