"""What Diego knows: prompts, the replies to each, and an inverted index that finds the prompts nearest to a text.

Prompts are numbered by weight, so those that can be near a text at all are neighbours in every list of postings.
"""

import threading
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import Stemmer
from numpy.typing import NDArray

from chatbot.bot.arrays import (
    Arrays,
    Floats,
    Ints,
    Lists,
    hash_of,
    hash_table_arrays,
    hash_table_of,
    hashes,
    texts_arrays,
    texts_of,
)
from chatbot.bot.formats import Pair
from chatbot.bot.spelling import Speller, spelling_arrays
from chatbot.bot.words import drawn_out, key, terms

NEAR = 0.5
"""Below this nearness, prompts say nothing."""

MOST_POSTINGS = 3000
"""How many postings of a term are looked at; of a frequent one those of prompts that weigh most like the text."""

MISSPELT = 0.9
"""How much of its weight a misspelt word keeps."""

MOST_CORRECTIONS = 3
"""How many unknown words of a text are corrected."""

MOST_REMEMBERED = 10_000
"""Of how many unknown words it is remembered what they are meant to be."""


class Asked(NamedTuple):
    """A text as the index sees it: the numbers and weights of its terms, the weightiest first, and the sum of all."""

    numbers: list[int]
    weights: list[float]
    weight: float


class Match(NamedTuple):
    """A prompt by its number. Nearness is Dice's coefficient of weights: 1 the same words, 0 none in common.

    `covered` is the share of the text that the prompt has too.
    """

    prompt: int
    nearness: float
    covered: float


class PromptIndex:
    """Pairs of prompt and reply, as `index_arrays` made them. It never changes, so threads may share it."""

    def __init__(self, arrays: Arrays) -> None:
        self.prompts = texts_of("prompt", arrays)
        self.replies = texts_of("reply", arrays)
        self.sources = texts_of("source", arrays)
        self.prompt_source: Ints = arrays["prompt_source"]
        self.prompt_line: Ints = arrays["prompt_line"]
        self.prompt_topic: Ints = arrays["prompt_topic"]
        self._pairs = Lists(arrays["pair_reply"], arrays["pair_ends"])
        self._pair_ends = arrays["pair_ends"]
        self._before = Lists(arrays["pair_before"], arrays["pair_ends"])
        self._after = hash_table_of("after", arrays)
        self._exact = hash_table_of("exact", arrays)
        words = list(texts_of("word", arrays))
        self._numbers = dict(zip(words, arrays["word_term"].tolist(), strict=True))
        self._weights: list[float] = arrays["term_weight"].tolist()
        frequencies = [self._weights[number] * -1 for number in arrays["word_term"].tolist()]
        self._unknown_weight = float(arrays["unknown_weight"][0])
        self._postings = Lists(arrays["posting"], arrays["posting_ends"])
        self._prompt_weights: Floats = arrays["prompt_weight"]
        # People misspell the same words, and use the same ones that are not known.
        self._correct = lru_cache(MOST_REMEMBERED)(partial(Speller(arrays, words).correct, frequencies=frequencies))
        self._boards = threading.local()

    def __len__(self) -> int:
        return len(self.prompts)

    def exact(self, asked_key: str) -> int | None:
        """The number of the prompt that has this key, None if there is none."""
        found = self._exact.find([asked_key])
        return next((number for number in found if key(self.prompts[number]) == asked_key), None)

    def knows(self, word: str) -> bool:
        """Whether a word occurs in a prompt."""
        return word in self._numbers

    def drawn_in(self, asked_key: str) -> str:
        """The key, with known words in place of unknown ones that are drawn out: "hey" for "heyyy"."""
        return " ".join([self._drawn_in(word) for word in asked_key.split()])

    def _drawn_in(self, word: str) -> str:
        if word in self._numbers:
            return word
        return next((form for form in drawn_out(word) if form in self._numbers), word)

    def replies_to(self, prompt: int, before: str = "") -> list[str]:
        """The replies to a prompt that go with the line before it; else those that go with any, else all."""
        numbers: list[int] = self._pairs[prompt].tolist()
        lines: list[int] = self._before[prompt].tolist()
        if any(lines):
            for wanted in (_before_number(before), 0):
                if wanted in lines:
                    numbers = [number for number, line in zip(numbers, lines, strict=True) if line == wanted]
                    break
        return [self.replies[number] for number in dict.fromkeys(numbers)]

    def prompts_after(self, before: str) -> list[int]:
        """The prompts that follow a line in a dialogue."""
        pairs = self._after.find_hash(_before_number(before))
        return [int(self._pair_ends.searchsorted(pair, "right")) for pair in pairs]

    def look_up(self, asked_key: str) -> Asked:
        """The terms of a key as the index knows them; misspelt words count as what they are meant to be."""
        numbers: dict[int, float] = {}
        weight = 0.0
        corrections = 0
        for word in terms(asked_key):
            number, share = self._numbers.get(word), 1.0
            if number is None and corrections < MOST_CORRECTIONS:
                corrections += 1
                corrected = self._correct(word)
                if corrected is not None:
                    number, share = self._numbers[corrected], MISSPELT
            if number is None:
                weight += self._unknown_weight
            elif number not in numbers:
                numbers[number] = self._weights[number] * share
                weight += self._weights[number]
        ordered = sorted(numbers, key=numbers.__getitem__, reverse=True)
        return Asked(ordered, [numbers[number] for number in ordered], weight)

    def nearest(self, asked: Asked, count: int = 2, *, least: float = NEAR, but: Sequence[int] = ()) -> list[Match]:
        """Up to so many prompts that are at least so near, the nearest first, none of them `but`.

        Those after the first may not be the nearest of all others.
        """
        known = sum(asked.weights)
        if not known or 2 * known < least * (known + asked.weight):  # what has no more than the known words is nearest
            return []
        board = self._board()
        gathered, left = self._gather(asked, board, least)
        board[list(but)] = 0
        candidates = self._promising(gathered, board, asked.weight, sum([weight for _, weight in left]), least)
        for number, weight in left if len(candidates) else ():
            postings = self._postings[number]
            places = postings.searchsorted(candidates)
            places[places == len(postings)] = 0
            board[candidates[postings[places] == candidates]] += weight
        shared = board[candidates]
        board[gathered] = 0
        return self._best(candidates, shared, asked.weight, least, count)

    def _gather(self, asked: Asked, board: Floats, least: float) -> tuple[Ints, list[tuple[int, float]]]:
        """Prompts that share the weightiest terms, these weights on the board, and the terms that are left.

        Who shares only what is left cannot be near.
        """
        share = least / (2 - least)
        rest = asked.weight
        gathered: list[Ints] = []
        for place, (number, weight) in enumerate(zip(asked.numbers, asked.weights, strict=True)):
            if gathered and rest < asked.weight * share:
                return np.concatenate(gathered), list(zip(asked.numbers, asked.weights, strict=True))[place:]
            postings = self._postings[number]
            if len(postings) > MOST_POSTINGS:
                postings = self._window(postings, asked.weight * share, asked.weight, asked.weight / share)
            board[postings] += weight
            gathered.append(postings)
            rest -= weight
        return np.concatenate(gathered), []

    def _window(self, postings: Ints, least: float, weight: float, most: float) -> Ints:
        """Of many prompts those of a weight between the bounds, and of these the MOST_POSTINGS about that weight."""
        bounds = self._prompt_weights.searchsorted(np.array([least, weight, most], np.float32))
        low, middle, high = postings.searchsorted(bounds.astype(np.int32)).tolist()
        start = max(low, min(middle - MOST_POSTINGS // 2, high - MOST_POSTINGS))
        return postings[start : min(high, start + MOST_POSTINGS)]

    def _promising(self, gathered: Ints, board: Floats, weight: float, rest: float, least: float) -> Ints:
        """Those that can still be the nearest when what they share of the rest is added, each once."""
        factors = 2 / (self._prompt_weights[gathered] + weight)
        nearness = board[gathered] * factors
        best = max(least, float(nearness.max(initial=0.0)))
        promising: Ints = gathered[nearness + rest * factors >= best - _ROUNDING]
        return promising

    def _best(self, candidates: Ints, shared: Floats, weight: float, least: float, count: int) -> list[Match]:
        """Candidates may be there several times, once for each term."""
        nearness = 2 * shared / (self._prompt_weights[candidates] + weight)
        best: dict[int, Match] = {}
        while len(nearness) and len(best) < count:
            place = int(nearness.argmax())
            near = float(nearness[place])
            if near < least:
                break
            prompt = int(candidates[place])
            best[prompt] = Match(prompt, min(near, 1.0), float(shared[place]) / weight)
            nearness[candidates == prompt] = 0
        return list(best.values())

    def _board(self) -> Floats:
        """A number for each prompt, all 0; each thread has its own."""
        try:
            board: Floats = self._boards.board
        except AttributeError:
            board = self._boards.board = np.zeros(len(self) + 1, np.float32)
        return board


_ROUNDING = 1e-4


def _before_number(before: str) -> int:
    """What stands for the line before a prompt; 0 is for none."""
    return (hash_of(key(before)) >> 1 or 1) if before else 0


class _Pairs:
    """Numbers for prompts, replies and sources, as they come."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.replies: dict[str, int] = {}
        self.sources: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        self.prompt_rank = array("i")
        self.prompt_source = array("i")
        self.prompt_line = array("i")
        self.pair_prompt = array("i")
        self.pair_reply = array("i")
        self.pair_before = array("i")

    def add(self, pair: Pair) -> None:
        """Number a pair, unless its prompt is blank, as others may have left one, or known with a higher precedence."""
        if not pair.prompt.strip():
            return
        number = self.numbers.setdefault(key(pair.prompt), len(self.prompts))
        if number == len(self.prompts):
            self.prompts.append(pair.prompt)
            self.prompt_rank.append(pair.rank)
            self.prompt_source.append(self.sources.setdefault(pair.source, len(self.sources)))
            self.prompt_line.append(pair.line)
        if pair.rank == self.prompt_rank[number]:
            self.pair_prompt.append(number)
            self.pair_reply.append(self.replies.setdefault(pair.reply, len(self.replies)))
            self.pair_before.append(_before_number(pair.before or ""))


def index_arrays(pairs: Iterable[Pair]) -> Arrays:
    """The arrays of an index of pairs, which come in the order of their ranks."""
    read = _Pairs()
    for pair in pairs:
        read.add(pair)
    count = len(read.prompts)
    words: dict[str, int] = {}
    used = array("i")
    lengths = array("i")
    for known in read.numbers:
        numbers = {words.setdefault(term, len(words)) for term in terms(known)}
        used.extend(numbers)
        lengths.append(len(numbers))
    stems = _stems(list(words))
    prompt, term = _distinct(np.repeat(np.arange(count), lengths), stems[np.frombuffer(used, np.int32)])
    frequency = np.bincount(term, minlength=int(stems.max(initial=-1)) + 1)
    weights = np.log1p(count / np.maximum(frequency, 1)).astype(np.float32)
    prompt_weight = np.bincount(prompt, weights=weights[term], minlength=count).astype(np.float32)
    order = np.argsort(prompt_weight, kind="stable")
    place = np.empty(count, np.int32)
    place[order] = np.arange(count, dtype=np.int32)
    term, posting = _distinct(term, place[prompt])
    pair_prompt = place[np.frombuffer(read.pair_prompt, np.int32)]
    by_prompt = np.argsort(pair_prompt, kind="stable")
    pair_ends = np.cumsum(np.bincount(pair_prompt, minlength=count))
    pair_reply = np.frombuffer(read.pair_reply, np.int32)[by_prompt]
    pair_before = np.frombuffer(read.pair_before, np.int32)[by_prompt]
    (later,) = np.nonzero(pair_before)
    return {
        **texts_arrays("prompt", (read.prompts[number] for number in order)),
        **texts_arrays("reply", read.replies),
        **texts_arrays("source", read.sources),
        **texts_arrays("word", words),
        **spelling_arrays(list(words)),
        **hash_table_arrays("exact", hashes(read.numbers), place),
        "prompt_source": np.frombuffer(read.prompt_source, np.int32)[order],
        "prompt_line": np.frombuffer(read.prompt_line, np.int32)[order],
        **hash_table_arrays("after", pair_before[later].astype(np.uint32), later.astype(np.int32)),
        "prompt_topic": _topics(pair_prompt[by_prompt], pair_reply, pair_before),
        "prompt_weight": prompt_weight[order],
        "pair_reply": pair_reply,
        "pair_before": pair_before,
        "pair_ends": pair_ends,
        "word_term": stems,
        "term_weight": weights,
        "unknown_weight": np.array([np.log1p(2 * count)], np.float32),
        "posting": posting.astype(np.int32),
        "posting_ends": np.cumsum(np.bincount(term, minlength=len(weights))),
    }


def _stems(words: list[str]) -> Ints:
    """A number for each word, the same for words that have a stem in common."""
    numbers: dict[str, int] = {}
    stems = Stemmer.Stemmer("english").stemWords(words)
    return np.array([numbers.setdefault(stem, len(numbers)) for stem in stems], np.int32)


def _distinct(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each pair of numbers once, in order."""
    size = int(second.max(initial=0)) + 1
    both = np.unique(first.astype(np.int64) * size + second)
    return both // size, both % size


def _topics(prompt: Ints, reply: Ints, before: Ints) -> Ints:
    """A number for each prompt, the same for those that have the same replies, whatever goes before."""
    free = before == 0
    anywhere = np.bincount(prompt[free], minlength=int(prompt.max(initial=-1)) + 1) > 0
    kept = free | ~anywhere[prompt]
    first, second = _distinct(prompt[kept], reply[kept])
    scattered = (second.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    scattered ^= scattered >> np.uint64(29)
    scattered *= np.uint64(0xBF58476D1CE4E5B9)
    starts = np.flatnonzero(np.diff(first, prepend=-1))
    sums = np.add.reduceat(scattered, starts) if len(starts) else scattered
    return np.unique(sums, return_inverse=True)[1].astype(np.int32)
