"""What is on the wire of a conversation: plain text, or JSON for clients that ask for the subprotocol `diego.v1+json`.

docs/protocol.md describes both.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from chatbot.bot.turns import NO_LIMIT, Turn
from chatbot.messages import NotNow, RefusedMessage, read_prompt

JSON = "diego.v1+json"
MOST_TURNS = 100
"""How many turns one page of the history has at most."""

COMMANDS = ("teach", "lessons", "unteach", "why", "export", "forget", "help")

MOST_NUMBER = 10**9

_ID = re.compile("[!-~]{1,64}")


class Message(NamedTuple):
    """What a visitor says; `id` is the client's, so that what is sent twice is answered once."""

    text: str
    id: str | None = None


class Command(NamedTuple):
    """What a visitor wants done, by its name in `chatbot.web.commands`; `id` is the client's."""

    name: str
    prompt: str = ""
    reply: str = ""
    number: int = 0
    id: str | None = None


class HistoryRequest(NamedTuple):
    """Asks for the last turns before a number."""

    before: int = NO_LIMIT
    limit: int = MOST_TURNS


class CountRequest(NamedTuple):
    """Asks how many clients are chatting, now and whenever that changes."""


Asked = Message | Command | HistoryRequest


class Event(NamedTuple):
    """What a tab is told: a type and fields in JSON, a text where the wire is plain (nothing if it is empty)."""

    type: str
    fields: dict[str, Any]
    text: str = ""


class Wire(Protocol):
    """How messages and events are written."""

    def read(self, frame: str) -> Asked | CountRequest:
        """What a text frame says. Raises RefusedMessage."""

    def write(self, event: Event) -> str:
        """The text frame for an event, empty if there is none."""


class PlainWire:
    """A message is a frame, and so is a reply."""

    def read(self, frame: str) -> Message:
        """The frame, checked."""
        return Message(read_prompt(frame))

    def write(self, event: Event) -> str:
        """Its text."""
        return event.text


class JsonWire:
    """A frame is an object with a `type`."""

    def read(self, frame: str) -> Asked | CountRequest:
        """What the object says. Raises RefusedMessage with a sentence that names what was expected."""
        try:
            fields = json.loads(frame)
        except (ValueError, RecursionError):
            raise RefusedMessage('A frame must be a JSON object, such as {"type": "message", "text": "Hi"}.') from None
        kind = fields.get("type") if isinstance(fields, dict) else None
        if kind == "message":
            return _message(fields)
        if kind == "history":
            return history_request(fields)
        if kind == "count":
            return CountRequest()
        if kind in COMMANDS:
            return _command(fields)
        kinds = ", ".join(f'"{name}"' for name in ("message", "history", "count", *COMMANDS))
        raise RefusedMessage(f"A frame must have one of these types: {kinds}.")

    def write(self, event: Event) -> str:
        """The object of an event."""
        written = json.dumps({"type": event.type, **event.fields}, ensure_ascii=False)
        return f'{written[:-1]}, "data": {event.text}}}' if event.type == "export" else written


def _message(fields: dict[str, Any]) -> Message:
    with _refused_by_id(message_id(fields)) as own_id:
        return Message(read_prompt(_text(fields, "text")), own_id)


def _command(fields: dict[str, Any]) -> Command:
    with _refused_by_id(message_id(fields)) as own_id:
        command = Command(fields["type"], id=own_id)
        if command.name == "teach":
            return command._replace(prompt=_text(fields, "prompt"), reply=_text(fields, "reply"))
        if command.name == "unteach":
            if fields.get("number") is None:
                raise RefusedMessage('An unteach must have a "number".')
            return command._replace(number=_number(fields, "number", MOST_NUMBER))
        return command


@contextmanager
def _refused_by_id(own_id: str | None) -> Iterator[str | None]:
    """If what follows is refused, the client is to know which of its messages it was."""
    try:
        yield own_id
    except RefusedMessage as refused:
        refused.id = own_id
        raise


def message_id(fields: Mapping[str, Any]) -> str | None:
    """The `id` that a client has given a message. Raises RefusedMessage."""
    found = fields.get("id")
    if found is None or (isinstance(found, str) and _ID.fullmatch(found)):
        return found
    raise RefusedMessage('The "id" of a message must be 1 to 64 visible ASCII characters.')


def _text(fields: dict[str, Any], name: str) -> str:
    text = fields.get(name)
    if isinstance(text, str):
        return text
    raise RefusedMessage(f'A {fields["type"]} must have a "{name}".')


def history_request(fields: Mapping[str, Any]) -> HistoryRequest:
    """What the fields `before` and `limit` ask for. Raises RefusedMessage with a sentence that says what is wrong."""
    return HistoryRequest(_number(fields, "before", NO_LIMIT), _number(fields, "limit", MOST_TURNS))


def _number(fields: Mapping[str, Any], name: str, most: int) -> int:
    value = fields.get(name)
    if value is None:
        return most
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RefusedMessage(f'"{name}" must be a whole number from 1 on.')
    return min(value, most)


def turn_fields(turn: Turn) -> dict[str, Any]:
    """A turn in JSON."""
    return {
        "seq": turn.number,
        "id": turn.message_id,
        "prompt": turn.prompt,
        "text": turn.reply,
        "confidence": turn.confidence,
        "why": turn.why,
        "said_at": turn.said_at,
    }


def reply_event(turn: Turn) -> Event:
    """What the tabs of a visitor are told of a turn."""
    return Event("reply", turn_fields(turn), turn.reply)


def error_event(why: str | RefusedMessage, message: Message | Command | None = None) -> Event:
    """A sentence for people; the message had no reply. If it may be sent again, it is said in how many seconds."""
    about = why if message is None and isinstance(why, RefusedMessage) else message
    fields = {"text": str(why), "id": about.id if about else None}
    return Event("error", {**fields, "retry_after": why.retry_after} if isinstance(why, NotNow) else fields, str(why))


def export_event(data: str, command: Command) -> Event:
    """All that is known of a visitor, in JSON already: it may be long, and frames are written on the event loop."""
    return Event("export", {"id": command.id}, data)


def count_event(count: int) -> Event:
    """How many clients are chatting."""
    return Event("count", {"count": count})


def history_event(turns: list[Turn], before: int | None = None) -> Event:
    """Earlier turns, in order. `before` is what to ask for the page before this one with, None if there is none."""
    return Event("history", {"turns": [turn_fields(turn) for turn in turns], "before": before})
