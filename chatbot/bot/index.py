"""The nearest known prompt: the same but for case and punctuation, or else the one that shares the weightiest words."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from chatbot.bot.words import key


class Match(NamedTuple):
    """A known prompt, its replies and how near it is: 1 the same, 0 not a word in common."""

    prompt: str
    replies: tuple[str, ...]
    nearness: float


class PromptIndex:
    """An inverted index of pairs of prompt and reply, in memory. It never changes, so threads may share it."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._numbers: dict[str, int] = {}
        self._prompts: list[str] = []
        replies: list[dict[str, None]] = []
        for prompt, reply in pairs:
            number = self._numbers.setdefault(key(prompt), len(self._prompts))
            if number == len(self._prompts):
                self._prompts.append(prompt)
                replies.append({})
            replies[number][reply] = None
        self._replies = [tuple(distinct) for distinct in replies]
        self._postings: defaultdict[str, list[int]] = defaultdict(list)
        for known, number in self._numbers.items():
            for word in set(known.split()):
                self._postings[word].append(number)
        self._weights = [self._weight(set(known.split())) for known in self._numbers]

    def nearest(self, text: str) -> Match | None:
        """The nearest prompt, None if it would share no word. Nearness is Dice's coefficient of the words' weights."""
        asked = key(text)
        if asked in self._numbers:
            return self._match(self._numbers[asked], 1.0)
        asked_words = set(asked.split())
        shared: defaultdict[int, float] = defaultdict(float)
        for word in asked_words:
            weight = self._word_weight(word)
            for number in self._postings.get(word, ()):
                shared[number] += weight
        if not shared:
            return None
        asked_weight = self._weight(asked_words)
        nearness, number = max(
            (2 * weight / (asked_weight + self._weights[number]), -number) for number, weight in shared.items()
        )
        return self._match(-number, nearness)

    def _match(self, number: int, nearness: float) -> Match:
        return Match(self._prompts[number], self._replies[number], nearness)

    def _weight(self, words: Iterable[str]) -> float:
        return math.fsum(map(self._word_weight, words))

    def _word_weight(self, word: str) -> float:
        """The rarer, the heavier."""
        return math.log1p(len(self._prompts) / (len(self._postings.get(word, ())) or 0.5))
