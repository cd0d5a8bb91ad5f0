"""What a person in the room sees of it."""

import time

from chatbot.terminal.screen import printable
from chatbot.terminal.wire import History, Message, Notice, Person, Welcome

SHOWN_AT_FIRST = 20  # messages of before one came
MAX_AUTHORS = 200
TYPING_SECONDS = 5.0
LOST = "The connection to Diego was lost."


class View:
    """The room as one person sees it: makes text of what happens there."""

    def __init__(self) -> None:
        self._name = ""
        self._people: list[str] = []
        self._typing: dict[str, float] = {}  # until when that is shown
        self._authors: dict[int, str] = {}  # of the last messages, by their numbers
        self._last: int | None = None  # the number of the last message that was shown
        self._parting = LOST
        self.away = False

    def take(self, event: str, data: object) -> list[str]:
        """What is to be shown now that this has happened. Raises Unreachable."""
        texts: list[str] = []
        match event:
            case "welcome":
                texts = self._welcome(Welcome.read(data))
            case "history":
                texts = self._recall(History.read(data).messages)
            case "response":
                texts = self._hear(Message.read(data))
            case "joined":
                texts = self._join(Person.read(data).name)
            case "left":
                texts = self._leave(Person.read(data).name)
            case "typing":
                self._typing[Person.read(data).name] = time.monotonic() + TYPING_SECONDS
            case "refused" | "unwelcome" | "later":
                texts = [printable(Notice.read(data).text)]
            case "draining":
                self._parting = printable(Notice.read(data).text)
            case "lost":
                texts = self._lose()
        return texts

    def typing(self) -> str:
        """Who is typing."""
        now = time.monotonic()
        self._typing = {name: until for name, until in self._typing.items() if until > now}
        match [*map(_one_line, self._typing)]:
            case []:
                return ""
            case [name]:
                return f"{name} is typing …"
            case [name, other]:
                return f"{name} and {other} are typing …"
            case names:
                return f"{len(names)} people are typing …"

    def people(self) -> str:
        """Who is here."""
        names = [_one_line(name) + " (you)" * (name == self._name) for name in self._people]
        return f"Here: {', '.join(names)}."

    def _welcome(self, welcome: Welcome) -> list[str]:
        renamed = self._name not in ("", welcome.name)
        self._name, self._people = welcome.name, welcome.people
        if not self.away:
            return []
        self.away = False
        return ["Connected again." + f" You are {_one_line(self._name)} now." * renamed]

    def _recall(self, messages: list[Message]) -> list[str]:
        """Show those that were not shown yet; of what was before one came, the last."""
        self._authors = {message.number: message.name for message in messages}
        at_first = self._last is None
        new = messages[-SHOWN_AT_FIRST:] if at_first else [said for said in messages if said.number > (self._last or 0)]
        self._last = messages[-1].number if messages else 0
        return [*map(self._line, new), *[f"{self.people()} @diego asks Diego, /help helps, Ctrl-D leaves."] * at_first]

    def _hear(self, message: Message) -> list[str]:
        self._typing.pop(message.name, None)
        self._authors[message.number] = message.name
        if len(self._authors) > MAX_AUTHORS:
            del self._authors[next(iter(self._authors))]
        self._last = message.number
        return [self._line(message)]

    def _line(self, message: Message) -> str:
        author = _one_line(message.name)
        if message.answers in self._authors:
            author = f"{author} → {_one_line(self._authors[message.answers])}"
        return f"{author}: {printable(message.text)}"

    def _join(self, name: str) -> list[str]:
        self._people.append(name)
        return [f"* {_one_line(name)} has joined"]

    def _leave(self, name: str) -> list[str]:
        self._people = [other for other in self._people if other != name]
        self._typing.pop(name, None)
        return [f"* {_one_line(name)} has left"]

    def _lose(self) -> list[str]:
        parting, self._parting = self._parting, LOST
        self.away = True
        self._typing.clear()
        return [f"{parting} Connecting again …"]


def _one_line(name: str) -> str:
    return printable(name).replace("\n", "\\n")
