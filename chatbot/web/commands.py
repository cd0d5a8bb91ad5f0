"""What a visitor may want done besides being answered: `/teach`, `/why`, `/forget` and so on. They are no turns."""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from chatbot.bot.diary import Diary
from chatbot.bot.lessons import Lesson
from chatbot.bot.turns import NO_LIMIT
from chatbot.messages import RefusedMessage
from chatbot.web.wire import Command, Event, Message, export_event, turn_fields

FORGOTTEN = "All that you said, taught me and told me is erased, for good. Your connections end now."
STILL_USED = (
    "All that you said, taught me and told me is erased. My database is in use, so traces stay in its files until that "
    "is over. Your connections end now."
)
NO_LESSONS = "You have taught me nothing yet. Like this: /teach What you say => What I answer"
NO_TURNS = "You have asked me nothing yet, so there is nothing to explain."
NO_RECEIPT = "I cannot say why I said that."

_COMMAND = re.compile(r"/([^\W\d_]+)(?:\s+(.+))?", re.DOTALL)
_NUMBER = re.compile("[0-9]{1,9}")


def read_command(message: Message) -> Command | None:
    """The command that a message is, None if it is none. Raises RefusedMessage."""
    found = _COMMAND.fullmatch(message.text)
    if found is None:
        return None
    name, rest = found[1].lower(), found[2] or ""
    if name not in _KINDS:
        raise RefusedMessage(f"There is no command /{name}. There are: {', '.join(f'/{kind}' for kind in _KINDS)}.")
    command = _KINDS[name].read(Command(name, id=message.id), rest)
    if command is None:
        raise RefusedMessage(f"Please write it like this: {_KINDS[name].usage}")
    return command


def carry_out(diary: Diary, visitor: str, command: Command) -> Event:
    """Do what a visitor wants, and what is told of it. The database is asked, so this is for a thread.

    Raises RefusedMessage.
    """
    return _KINDS[command.name].do(diary, visitor, command)


def _teach(diary: Diary, visitor: str, command: Command) -> Event:
    lesson = diary.lessons.teach(visitor, command.prompt, command.reply)
    text = f"I have learned that, just for you: {_shown(lesson)}"
    return _event("taught", command, text, number=len(diary.lessons.of(visitor)), **_fields(lesson))


def _lessons(diary: Diary, visitor: str, command: Command) -> Event:
    lessons = diary.lessons.of(visitor)
    numbered = [f"{number}. {_shown(lesson)}" for number, lesson in enumerate(lessons, 1)]
    rows = [{"number": number, **_fields(lesson)} for number, lesson in enumerate(lessons, 1)]
    return _event("lessons", command, "\n".join(numbered) or NO_LESSONS, lessons=rows)


def _unteach(diary: Diary, visitor: str, command: Command) -> Event:
    lesson = diary.lessons.unteach(visitor, command.number)
    if lesson is None:
        raise RefusedMessage(f"There is no lesson {command.number}. /lessons shows those that there are.")
    text = f"I no longer know that: {_shown(lesson)}"
    return _event("untaught", command, text, number=command.number, **_fields(lesson))


def _why(diary: Diary, visitor: str, command: Command) -> Event:
    turns = diary.turns.before(visitor, NO_LIMIT, 1)
    if not turns:
        return _event("why", command, NO_TURNS, turn=None)
    return _event("why", command, turns[0].why or NO_RECEIPT, turn=turn_fields(turns[0]))


def _export(diary: Diary, visitor: str, command: Command) -> Event:
    known = diary.export(visitor)
    return export_event(json.dumps(known, ensure_ascii=False, indent=1), command)


def _forget(diary: Diary, visitor: str, command: Command) -> Event:
    # Else anybody without a cookie could have the database written anew, again and again.
    wiped = not diary.knows(visitor) or diary.forget(visitor)
    return _event("forgotten", command, FORGOTTEN if wiped else STILL_USED)


def _help(_diary: Diary, _visitor: str, command: Command) -> Event:
    commands = [{"usage": kind.usage, "help": kind.help} for kind in _KINDS.values()]
    return _event(
        "help", command, "\n".join(f"{kind.usage}: {kind.help}" for kind in _KINDS.values()), commands=commands
    )


def _event(kind: str, command: Command, text: str, **fields: Any) -> Event:
    return Event(kind, {"id": command.id, "text": text, **fields}, text)


def _shown(lesson: Lesson) -> str:
    return f"{lesson.prompt} => {lesson.reply}"


def _fields(lesson: Lesson) -> dict[str, str]:
    return {"prompt": lesson.prompt, "reply": lesson.reply}


def _two_halves(command: Command, rest: str) -> Command | None:
    prompt, arrow, reply = rest.partition("=>")
    return command._replace(prompt=prompt.strip(), reply=reply.strip()) if arrow else None


def _one_number(command: Command, rest: str) -> Command | None:
    return command._replace(number=int(rest)) if _NUMBER.fullmatch(rest) else None


def _nothing(command: Command, rest: str) -> Command | None:
    return None if rest else command


class _Kind(NamedTuple):
    """How a command is written, what it is for, what does it, and how what follows its name is read.

    `read` gives None for what cannot be read.
    """

    usage: str
    help: str
    do: Callable[[Diary, str, Command], Event]
    read: Callable[[Command, str], Command | None] = _nothing


_KINDS = {
    "teach": _Kind("/teach What you say => What I answer", "teaches me an answer, just for you", _teach, _two_halves),
    "lessons": _Kind("/lessons", "shows what you taught me", _lessons),
    "unteach": _Kind("/unteach 1", "takes back the lesson of that number", _unteach, _one_number),
    "why": _Kind("/why", "shows why I gave my last answer", _why),
    "export": _Kind("/export", "shows all that I know of you, as JSON", _export),
    "forget": _Kind("/forget", "erases all that I know of you, at once and for good", _forget),
    "help": _Kind("/help", "shows this", _help),
}
