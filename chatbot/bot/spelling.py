"""Finds the known word that a misspelt one is meant to be.

As in W. Garbe's SymSpell: two words that differ by one letter become the same if the right letter is taken out of one
of them or of both. So every known word is kept under the hashes of itself without one letter.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from chatbot.bot.arrays import Arrays, hash_table_arrays, hash_table_of, hashes

MIN_LETTERS = 3
"""Shorter words have too many neighbours."""

LONG = 4
"""Shorter words are only given a letter that may be missing."""

MAX_LETTERS = 30


class Speller:
    """Corrects one mistake in a word: a letter too many, missing, wrong, or two that changed places."""

    def __init__(self, arrays: Arrays, words: Sequence[str]) -> None:
        self._table = hash_table_of("spelling", arrays)
        self._words = words

    def correct(self, word: str, frequencies: Sequence[float]) -> str | None:
        """The known word that it most likely is, None if there is none: the most frequent one, wrong letters last."""
        if not MIN_LETTERS <= len(word) <= MAX_LETTERS:
            return None
        candidates = {self._words[number]: number for number in self._table.find((word, *_shorter(word)))}
        near = [
            (len(word) != len(known) or sorted(word) == sorted(known), frequencies[number], known)
            for known, number in candidates.items()
            if may_mean(word, known)
        ]
        return max(near)[2] if near else None


def spelling_arrays(words: Sequence[str]) -> Arrays:
    """The arrays of a speller that knows these words."""
    correctable = [number for number, word in enumerate(words) if MIN_LETTERS - 1 <= len(word) <= MAX_LETTERS + 1]
    forms = [(words[number], *_shorter(words[number])) for number in correctable]
    numbers = np.repeat(np.array(correctable, np.int32), [len(form) for form in forms])
    return hash_table_arrays("spelling", hashes(chain.from_iterable(forms)), numbers)


def _shorter(word: str) -> set[str]:
    return {word[:place] + word[place + 1 :] for place in range(len(word))}


def may_mean(word: str, known: str) -> bool:
    """Whether a word may be a known one with one mistake in it."""
    longer = len(known) > len(word)
    return len(word) >= MIN_LETTERS and (len(word) >= LONG or longer) and one_mistake(word, known)


def one_mistake(word: str, known: str) -> bool:
    """Whether the words differ by one letter, or by the order of two neighbours."""
    start = next((place for place, (a, b) in enumerate(zip(word, known, strict=False)) if a != b), None)
    if start is None:
        return abs(len(word) - len(known)) == 1
    left, right = word[start:], known[start:]
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[1::-1] == right[:2] and left[2:] == right[2:])
    )
