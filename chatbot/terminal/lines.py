"""What is to be said: lines that a person types, or that come through a pipe."""

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import AsyncIterator

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from chatbot.terminal.files import state_file

MAX_WAITING_LINES = 100
Lines = asyncio.Queue[str | None]


def sendable(text: str) -> str:
    """The text without the lone surrogates as which bytes come, typed or in arguments, that are not UTF-8."""
    return text.encode("utf-8", "replace").decode()


def history() -> History:
    """The lines typed earlier, in a file that only its owner reads; in memory where there can be no file."""
    with contextlib.suppress(OSError):
        if file := state_file("history"):
            file.touch(mode=0o600)
            return FileHistory(file)
    return InMemoryHistory()


async def typed(session: PromptSession[str]) -> AsyncIterator[str]:
    """What the person types, but blank lines, until they leave.

    prompt_toolkit reads the keyboard between the loop's events.
    """
    while True:
        try:
            line = (await session.prompt_async()).strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if line == "/quit":
            return
        if line:
            yield line


def piped() -> Lines:
    """What comes through standard input, but blank lines, and None at its end."""
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
    return lines
