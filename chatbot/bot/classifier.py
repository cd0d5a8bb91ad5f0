"""Which topic a text belongs to, for topics that have many prompts: a linear model over words and pieces of words.

A topic is what prompts with the same replies have in common. One support vector machine for each topic against all
others decides better than any single neighbour; it is trained with scikit-learn, and asked with numpy alone.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from chatbot.bot.arrays import Arrays, Floats, Ints, texts_arrays, texts_of

MOST_FEATURES = 30_000
"""Of each kind."""

PARTS = 4
"""In how many the topics are divided for training, as each part may have a processor of its own."""

PIECE = 3
"""How many characters a piece of a word has; the spaces around a word count."""

NO_TOPIC = -1
"""Stands for all prompts of topics that have too few."""


class Guess(NamedTuple):
    """A topic. `margin`: how far the text is on its side; `covered`: the share of the text's words that it has too."""

    topic: int
    margin: float
    covered: float


class Classifier:
    """A trained model, as `classifier_arrays` made it. It never changes, so threads may share it."""

    def __init__(self, arrays: Arrays) -> None:
        self._words = {word: number for number, word in enumerate(texts_of("feature_word", arrays))}
        phrases = enumerate(texts_of("feature_phrase", arrays), len(self._words))
        self._phrases = self._words | {phrase: number for number, phrase in phrases}
        self._pieces = {piece: number for number, piece in enumerate(texts_of("feature_piece", arrays))}
        self._phrase_rarity: list[float] = arrays["phrase_rarity"].tolist()
        self._phrase_weights: Floats = arrays["phrase_weights"]
        self._piece_rarity: list[float] = arrays["piece_rarity"].tolist()
        self._piece_weights: Floats = arrays["piece_weights"]
        self._word_length: list[float] = arrays["word_length"].tolist()
        self._word_weights: Floats = arrays["word_weights"]
        self._used: Floats = arrays["word_used"]
        self._bias: Floats = arrays["topic_bias"]
        self.topics: list[int] = arrays["topic"].tolist()
        self._unknown_rarity = max(self._phrase_rarity, default=1.0)

    def known(self, words: Sequence[str]) -> int:
        """How many of the words it knows."""
        return sum([word in self._words for word in words])

    def guess(self, words: Sequence[str]) -> list[Guess]:
        """The two best topics for the words of a text, the better first; none if they share no word with it."""
        distinct = set(words)
        known = [number for word in distinct if (number := self._words.get(word)) is not None]
        if not known:
            return []
        phrases = [number for phrase in _phrases(words) if (number := self._phrases.get(phrase)) is not None]
        margins = _sum(self._phrase_weights, phrases)
        margins /= sqrt(sum([self._phrase_rarity[number] ** 2 for number in phrases]))
        length = sum([self._word_length[number] for number in known])
        weights = _sum(self._word_weights, known)
        pieces = [
            number
            for word in distinct.difference(self._words)
            for piece in _pieces(word)
            if (number := self._pieces.get(piece)) is not None
        ]
        if pieces:
            length += sum([self._piece_rarity[number] ** 2 for number in pieces])
            weights += _sum(self._piece_weights, pieces)
        weights /= sqrt(length) or 1
        margins += weights
        margins += self._bias
        rarity = [self._phrase_rarity[number] for number in known]
        weight = sum(rarity) + self._unknown_rarity * (len(distinct) - len(known))
        first = int(margins.argmax())
        if self.topics[first] == NO_TOPIC:
            return []
        best = [first]
        if len(margins) > 1:
            margin = margins[first]
            margins[first] = -np.inf
            best.append(int(margins.argmax()))
            margins[first] = margin
        covered = [float(np.dot(rarity, self._used[known, place])) / weight for place in best]
        return [
            Guess(self.topics[place], float(margins[place]), share) for place, share in zip(best, covered, strict=True)
        ]


def _sum(rows: Floats, numbers: list[int]) -> Floats:
    added: Floats = np.add.reduce(rows.take(numbers, 0), 0)
    return added


def _phrases(words: Sequence[str]) -> set[str]:
    """The words, each with its neighbour, and each with the next but one."""
    phrases = {f"{left} {right}" for left, right in pairwise(("^", *words, "$"))}
    phrases.update(words)
    phrases.update([f"{left} _ {right}" for left, right in zip(words, words[2:], strict=False)])
    return phrases


def _pieces(word: str) -> set[str]:
    text = f" {word} "
    return {text[start : start + PIECE] for start in range(len(text) - PIECE + 1)}


def classifier_arrays(texts: Sequence[Sequence[str]], topics: Sequence[int]) -> Arrays:
    """Train a model on the words of texts and the topic of each. Fewer than two topics make a model that knows none."""
    if len(set(topics)) < 2:
        texts, topics = [], []
    words = sorted({word for text in texts for word in text})
    of_words = _matrix(map(set, texts), {word: number for number, word in enumerate(words)})
    phrases = _Features([_phrases(text) for text in texts], words)
    pieces = _Features([{piece for word in text for piece in _pieces(word)} for text in texts])
    in_words = pieces.matrix(map(_pieces, words))
    model = _train(phrases.matrix(map(_phrases, texts)), of_words, in_words, topics)
    for_phrases, for_pieces = np.split(model.weights, [len(phrases.names)])
    return {
        **texts_arrays("feature_word", words),
        **texts_arrays("feature_phrase", phrases.names[len(words) :]),
        **texts_arrays("feature_piece", pieces.names),
        "phrase_rarity": phrases.rarity,
        "phrase_weights": (for_phrases * phrases.rarity[:, None]),
        "piece_rarity": pieces.rarity,
        "piece_weights": (for_pieces * pieces.rarity[:, None]),
        "word_length": _squares(in_words),
        "word_weights": (in_words @ for_pieces),
        "word_used": _used(of_words, topics, model.topics),
        "topic_bias": model.bias,
        "topic": model.topics,
    }


class _Features:
    """Features of one kind: their names and how rare each is. Those that must be there stand first."""

    def __init__(self, bags: list[set[str]], needed: Sequence[str] = ()) -> None:
        counts = Counter(chain.from_iterable(bags))
        frequent = (name for name, count in counts.most_common(MOST_FEATURES) if count > 1)
        self.names = list(dict.fromkeys([*needed, *frequent]))
        self.rarity = np.array([1 + np.log((1 + len(bags)) / (1 + counts[name])) for name in self.names], np.float32)
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def matrix(self, bags: Iterable[set[str]]) -> Any:
        """A row for each bag, with how rare each feature is that the bag has."""
        return _matrix(bags, self._numbers).multiply(self.rarity[None, :]).tocsr()


class _Model(NamedTuple):
    """The weight of each feature for each topic, the bias of each topic, and the topics."""

    weights: Floats
    bias: Floats
    topics: Ints


def _train(phrases: Any, of_words: Any, in_words: Any, topics: Sequence[int]) -> _Model:
    if not topics:
        weights = np.zeros((phrases.shape[1] + in_words.shape[1], 0), np.float32)
        return _Model(weights, np.zeros(0, np.float32), np.zeros(0, np.int32))
    from scipy.sparse import hstack  # noqa: PLC0415 - serving does without it; it takes a second to import
    from sklearn.svm import LinearSVC  # noqa: PLC0415 - as above

    by_phrases = _scaled(phrases, _squares(phrases))
    by_pieces = _scaled(of_words @ in_words, of_words @ _squares(in_words))
    rows = hstack([by_phrases, by_pieces], format="csr", dtype=np.float32)
    known, numbers = np.unique(np.array(topics, np.int32), return_inverse=True)
    parts = np.array_split(np.arange(len(known)), min(PARTS, len(known) // 2))

    def fit(part: Ints) -> tuple[Floats, Floats]:
        # Coarser than the default: as accurate, and much sooner done where topics cannot be told apart.
        model = LinearSVC(tol=0.01, random_state=0)
        model.fit(rows, np.where(np.isin(numbers, part), numbers, len(known)))
        weights, bias = model.coef_, model.intercept_
        if len(weights) == 1:  # of two topics scikit-learn gives the second's only
            return np.concatenate([-weights, weights]), np.concatenate([-bias, bias])
        return weights[: len(part)], bias[: len(part)]  # the last are those of all other parts together

    with ThreadPoolExecutor(os.cpu_count()) as threads:  # liblinear lets go of Python's lock
        weights, bias = map(np.concatenate, zip(*threads.map(fit, parts), strict=True))
    return _Model(weights.T.astype(np.float32), bias.astype(np.float32), known)


def _matrix(bags: Iterable[set[str]], numbers: dict[str, int]) -> Any:
    """A row for each bag, with a 1 for each of its features that has a number, in scipy's form."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - as above

    rows = [[numbers[name] for name in bag if name in numbers] for bag in bags]
    columns = np.fromiter(chain.from_iterable(rows), np.int32)
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    return csr_array((np.ones(len(columns), np.float32), columns, ends), (len(rows), len(numbers)))


def _squares(rows: Any) -> Floats:
    squares: Floats = np.asarray(rows.power(2).sum(1), np.float32).ravel()
    return squares


def _scaled(rows: Any, squares: Floats) -> Any:
    return rows.multiply(1 / np.sqrt(np.maximum(squares, 1e-9))[:, None]).tocsr()


def _used(of_words: Any, topics: Sequence[int], known: Ints) -> Floats:
    """1 where a word is in a prompt of a topic."""
    used = np.zeros((of_words.shape[1], len(known)), np.float32)
    texts, words = of_words.nonzero()
    used[words, known.searchsorted(np.array(topics, np.int32)[texts])] = 1
    return used
