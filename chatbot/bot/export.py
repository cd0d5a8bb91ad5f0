"""From knowledge to a corpus: ChatterBot's YAML, which `train` reads."""

import json
import re
from collections.abc import Iterable, Iterator

from chatbot.bot.formats import NOT_IN_YAML, Pair, clean
from chatbot.bot.words import key


def corpus(pairs: Iterable[Pair]) -> Iterator[str]:
    """The lines of a corpus with all pairs that count, which come in the order of their ranks.

    Those of one dialogue that follow each other stay together; after one that is left out another dialogue
    begins. What another ChatterBot learned and no corpus may hold, like an empty text, is left out, too.
    """
    yield "categories: []\n"
    begun = False
    last = ("", "", "")
    for pair in _that_count(pairs):
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


def _that_count(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Without the replies to a prompt that is known with a higher precedence: in the corpus all have the same."""
    ranks: dict[str, int] = {}
    for pair in pairs:
        if ranks.setdefault(key(pair.prompt), pair.rank) == pair.rank:
            yield pair


def _quoted(text: str) -> str:
    """A text as JSON writes it, which YAML reads the same way but for some rare characters."""
    return NOT_IN_YAML.sub(_escaped, json.dumps(text, ensure_ascii=False))


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"
