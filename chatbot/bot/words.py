"""How a text is taken apart."""

import re
import unicodedata

from chatterbot.constants import STATEMENT_TEXT_MAX_LENGTH
from chatterbot.tagging import NoOpTagger


class _Letters(dict[int, str]):
    """For str.translate: what stays of each character."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        # C, P, S, Z: controls, punctuation, symbols, spaces. Marks are none of these: Hindi is not words without them.
        separates = unicodedata.category(character)[0] in "CPSZ" and character not in "+#"  # C++ and C# are words
        letter = " " if separates else character
        if code < _REMEMBERED:
            self[code] = letter
        return letter


_REMEMBERED = 0x3000
"""The characters below are worked out once; all of Unicode would be 200 MB."""


_LETTERS = _Letters({ord(apostrophe): "" for apostrophe in "'\u2019`"})

# Thai, Lao, Burmese, Khmer; kana, ideographs.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")

_DRAWN_OUT = re.compile(r"(..??)\1{2,}")


def words(text: str) -> list[str]:
    """The words of a text, in one spelling for all cases, widths and apostrophes; without punctuation and emoji."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS).split()


def key(text: str) -> str:
    """What texts have in common that differ only in case, punctuation and spaces."""
    return " ".join(words(text)) or " ".join(text.split())


def drawn_out(word: str) -> list[str]:
    """What a word like "heyyy" or "hahahaha" may be meant to be, the longest first; empty if nothing is drawn out."""
    if not _DRAWN_OUT.search(word):
        return []
    forms = [_DRAWN_OUT.sub(times * r"\1", word) for times in (3, 2, 1)]
    return [form for form in forms if form != word]


def terms(key: str) -> list[str]:
    """What a key is compared by: its words, or pairs of characters where a script has no spaces between words."""
    if key.isascii():
        return key.split()
    return [term for word in key.split() for term in _pairs(word)]


def _pairs(word: str) -> list[str]:
    if not _UNSPACED.search(word):
        return [word]
    parts = []
    for part in re.split(f"({_UNSPACED.pattern})", word):
        if _UNSPACED.fullmatch(part):
            parts += [part[start : start + 2] for start in range(max(len(part) - 1, 1))]
        elif part:
            parts.append(part)
    return parts


class WordTagger(NoOpTagger):
    """ChatterBot's tagger without spaCy, whose store of strings grows with every new word: the key is the index."""

    def needs_text_indexing(self) -> bool:
        """Whether the index string differs from the text; ChatterBot asks."""
        return True

    def get_text_index_string(self, text: str) -> str:
        """The key, cut to what ChatterBot's column holds: one character may become several in lower case."""
        return key(text)[:STATEMENT_TEXT_MAX_LENGTH]
