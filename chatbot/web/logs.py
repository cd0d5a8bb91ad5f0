"""What stands in the log: nothing of what visitors say or are known by, and nothing that a terminal would obey."""

import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from numbers import Number
from traceback import format_tb
from typing import Any

from sqlalchemy.exc import DBAPIError

from chatbot import SetupError
from chatbot.bot.database import first_line

CONNECTION: ContextVar[str | None] = ContextVar("connection", default=None)
"""The connection that is being served, by an id of its own; so that all lines about it can be found."""

TURN: ContextVar[int | None] = ContextVar("turn", default=None)
"""The number of the visitor's turn that is under way."""

# Control characters, what turns the direction of text or breaks lines unseen, and halves of characters.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Tidy(logging.Filter):
    """Makes a record fit for the log, whoever writes it.

    Of errors it leaves the type and where they came from. Their messages may hold what a visitor has said, as that of
    `int("my secret")`, and are shown if `with_messages` is set.
    """

    def __init__(self, *, with_messages: bool) -> None:
        super().__init__()
        self._with_messages = with_messages

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; it is never left out."""
        text = str(record.msg).rstrip()
        # What asyncio says of a task below the first line has all that the task works on in it.
        record.msg = _escaped(text.partition("\n")[0] if record.name == "asyncio" else text)
        if isinstance(record.args, tuple):
            record.args = tuple(_argument(record, argument) for argument in record.args)
        elif record.args:
            record.args = {name: _argument(record, argument) for name, argument in record.args.items()}
        if record.exc_info and record.exc_info[1]:
            record.exc_text = "\n".join(self._shown(record.exc_info[1]))
        connection, turn = CONNECTION.get(), TURN.get()
        ids = [id_ for id_ in (connection, f"turn {turn}" if turn else None) if id_]
        record.__dict__.update(connection=connection, turn=turn, ids=f"[{' '.join(ids)}] " if ids else "")
        return True

    def _shown(self, error: BaseException) -> Iterator[str]:
        """Lines about an error and those that led to it."""
        before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if before:
            yield from self._shown(before)
            yield "which led to:"
        yield "Traceback (most recent call last):"
        yield "".join(format_tb(error.__traceback__)).rstrip()
        message = _escaped(str(error) if self._with_messages else _harmless(error))
        yield type(error).__qualname__ + (f": {message}" if message else "")


class JsonFormatter(logging.Formatter):
    """An object in a line for each record."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "connection": record.__dict__["connection"],
            "turn": record.__dict__["turn"],
            "exception": record.exc_text,
        }
        return json.dumps({name: value for name, value in fields.items() if value is not None})


def _argument(record: logging.LogRecord, argument: object) -> object:
    if isinstance(argument, Number):
        return argument
    # In addresses there may be what nobody else is to know: uvicorn writes them with all that is behind the path.
    text = str(argument).partition("?")[0] if record.name.startswith("uvicorn") else str(argument)
    return _escaped(text)


def _harmless(error: BaseException) -> str:
    """What an error says, if that is known to be of nobody: a sentence of ours, of the database or of the system."""
    if isinstance(error, SetupError | sqlite3.Error):
        return str(error)
    if isinstance(error, DBAPIError):
        return first_line(error.orig)
    return (isinstance(error, OSError) and error.strerror) or ""


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
