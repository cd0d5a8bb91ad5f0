"""What is shown."""

import re
import sys

from prompt_toolkit.application import get_app_session, run_in_terminal
from wcwidth import width, wrap

# C0 and C1 controls drive the terminal; line separators and bidi overrides forge what seems to stand there.
_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_FENCE = "```"
_MAX_PROSE = 10_000  # characters of a line; the time that wrap() takes grows with the square of a word's length


def printable(text: str) -> str:
    """The text with its control characters, except line breaks, as escapes."""
    return _UNSAFE.sub(lambda found: ascii(found.group())[1:-1], text)


def wrapped(text: str, columns: int, hanging: str = "") -> str:
    """The text with lines of at most so many columns, broken at spaces and each going on where it was indented to.

    All lines but the first begin with what is hanging. Code between fences is left as it is.
    """
    lines: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fence = line.lstrip().startswith(_FENCE)
        margin = hanging if lines else ""
        if fenced or fence or len(line) > _MAX_PROSE or width(margin + line) <= columns:
            lines.append(margin + line)
        else:
            lines += _wrapped_line(line, columns, margin, hanging)
        fenced ^= fence
    return "\n".join(lines)


def _wrapped_line(line: str, columns: int, margin: str, hanging: str) -> list[str]:
    words = line.lstrip(" ")
    indentation = " " * min(len(line) - len(words), columns // 2)
    return wrap(
        words,
        columns,
        initial_indent=margin + indentation,
        subsequent_indent=hanging + indentation,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


async def show(*texts: str, hanging: str = "") -> None:
    """Print above the prompt, if there is one."""
    columns = get_app_session().output.get_size().columns
    lines = "\n".join(wrapped(text, columns, hanging) for text in texts)
    await run_in_terminal(lambda: print(lines, flush=True))


async def show_aside(text: str) -> None:
    """Print where it does not get among the replies."""
    print(text, file=sys.stderr, flush=True)
