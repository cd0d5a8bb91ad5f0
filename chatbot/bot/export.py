"""From knowledge to a corpus: ChatterBot's YAML, which `train` reads."""

import json
import re
from collections.abc import Iterable, Iterator

from chatbot.bot.formats import NOT_IN_YAML, Pair, clean


def corpus(pairs: Iterable[Pair]) -> Iterator[str]:
    """The lines of a corpus with all pairs; those of one dialogue that follow each other stay together.

    What another ChatterBot learned and no corpus may hold, like an empty text, is left out.
    """
    yield "categories: []\n"
    begun = False
    last = ("", "", "")
    for pair in pairs:
        try:
            prompt, reply = clean(pair.prompt), clean(pair.reply)
        except ValueError:
            continue
        if not begun:
            yield "conversations:\n"
            begun = True
        if (pair.source, pair.before, pair.prompt) != last:
            yield f"- - {_quoted(prompt)}\n"
        yield f"  - {_quoted(reply)}\n"
        last = (pair.source, pair.prompt, pair.reply)
    if not begun:
        yield "conversations: []\n"


def _quoted(text: str) -> str:
    """A text as JSON writes it, which YAML reads the same way but for some rare characters."""
    return NOT_IN_YAML.sub(_escaped, json.dumps(text, ensure_ascii=False))


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"
