"""The room: what everybody says there is shown, and what is typed is said to everybody."""

import asyncio
import getpass
import re
from contextlib import suppress

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer

from chatbot.terminal.connecting import Unreachable, until_first
from chatbot.terminal.lines import MAX_WAITING_LINES, Lines, history, piped, typed
from chatbot.terminal.screen import printable, show, show_aside
from chatbot.terminal.speaker import Events, Speaker
from chatbot.terminal.view import TYPING_SECONDS, View
from chatbot.terminal.visitor import Visitor, read_name
from chatbot.terminal.wire import Notice

HELP = """\
Type something and press Enter, and everybody in the room reads it.
  @diego …        asks Diego
  /people         lists who is here
  /help           shows this
  /quit           leaves, as does Ctrl-D
Ctrl-C drops the line you are typing, the arrow keys bring back earlier ones."""
MAX_EVENTS = 1000
LEAVE_SECONDS = 3.0  # for what was typed last to be said
HANGING = "  "

_COMMAND = re.compile(r"/\w+")


class Participant:
    """A person in the room: reads what is shown above a prompt, and types."""

    def __init__(self, visitor: Visitor, name: str) -> None:
        self._lines: Lines = asyncio.Queue()
        self._events: Events = asyncio.Queue(MAX_EVENTS)
        self._speaker = Speaker(visitor, name, self._lines, self._events)
        self._view = View()
        self._session: PromptSession[str] = PromptSession("> ", history=history(), erase_when_done=True)
        self._session.default_buffer.on_text_changed += self._note_typing

    async def take_part(self) -> None:
        """Until the person leaves. Raises Unreachable."""
        connection = await self._speaker.connect()
        await until_first(self._speaker.speak(connection), self._show(), self._listen_to_keyboard())
        await show("Goodbye!")

    async def _show(self) -> None:
        while True:
            events = [await self._events.get()]
            while not self._events.empty():
                events.append(self._events.get_nowait())
            texts = [text for event in events for text in self._view.take(*event)]
            if texts:
                await show(*texts, hanging=HANGING)
            self._update_toolbar()
            asyncio.get_running_loop().call_later(TYPING_SECONDS, self._update_toolbar)
            for _ in events:
                self._events.task_done()

    def _update_toolbar(self) -> None:
        away = f"Not connected. Lines that wait to be said: {self._speaker.waiting}"
        self._session.bottom_toolbar = (away if self._view.away else self._view.typing()) or None
        self._session.app.invalidate()

    def _note_typing(self, buffer: Buffer) -> None:
        if buffer.text and not buffer.text.startswith("/"):  # which begins a command
            self._speaker.typing.set()

    async def _listen_to_keyboard(self) -> None:
        async for line in typed(self._session):
            if answer := self._say(line):
                await show(answer)
            self._update_toolbar()
        if self._speaker.waiting:
            self._lines.put_nowait(None)
            await asyncio.sleep(LEAVE_SECONDS)
        if self._speaker.waiting:
            raise Unreachable("What you typed last was not said: there is no connection to the room.")

    def _say(self, line: str) -> str:
        """Have it said, or carried out. What the person is told about that."""
        command = _COMMAND.match(line)
        if line == "/help":
            return HELP
        if line == "/people":
            return self._view.people()
        if command:
            return f"There is no command {printable(command.group())} in the room. /help shows those that there are."
        if self._lines.qsize() >= MAX_WAITING_LINES:
            return "So much is still to be said; this is one too many."
        self._lines.put_nowait(line)
        return ""


async def attend(visitor: Visitor, name: str) -> None:
    """Be in the room until the person leaves. Raises Unreachable."""
    await Participant(visitor, name).take_part()


async def say_input(visitor: Visitor, name: str) -> bool:
    """Say each line of standard input that is not blank. Whether nothing was refused. Raises Unreachable."""
    events: Events = asyncio.Queue(MAX_EVENTS)
    refusals = 0

    async def show_refusals() -> None:
        nonlocal refusals
        while True:
            event, data = await events.get()
            if event in ("refused", "unwelcome"):
                refusals += event == "refused"
                await show_aside(printable(Notice.read(data).text))
            events.task_done()

    speaker = Speaker(visitor, name, piped(), events)
    connection = await speaker.connect()
    await until_first(speaker.speak(connection), show_refusals())
    return not refusals


def login_name() -> str:
    """The person's name on this machine; empty if there is none, or if it would be none in the room."""
    with suppress(OSError, LookupError, ImportError):
        return read_name(getpass.getuser()[:32])
    return ""
