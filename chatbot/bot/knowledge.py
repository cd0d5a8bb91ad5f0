"""What Diego knows, found by what is asked: the same prompt, the nearest or the topic, each with a probability."""

import hashlib
import json
import re
import time
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chatbot.bot.arrays import Arrays, Ints
from chatbot.bot.calibration import (
    Lesson,
    classifier_examples,
    fit,
    index_examples,
    probability,
    threshold,
    topics_to_learn,
)
from chatbot.bot.classifier import NO_TOPIC, Classifier, Guess, classifier_arrays
from chatbot.bot.formats import Pair
from chatbot.bot.index import NEAR, PromptIndex, index_arrays
from chatbot.bot.words import key, terms

SURE = 0.6
"""What is as probable as that is not looked for in another way."""

ALMOST = 0.89
"""From this nearness on a prompt counts although the classifier knows its topic, which judges less near ones better.

A prompt of one word that is misspelt is as near as index.MISSPELT, give or take the rounding.
"""

SHORT = 5
"""How many words what continues a dialogue has at most, where it is not known as such."""

MOST_CLAUSES = 4
CLAUSE_SHARE, SHORT_CLAUSE_SHARE = 0.8, 0.4
"""How much of its probability remains to a reply to nearly all of a message, and to a small part of it."""

_CLAUSE_END = re.compile(r"[.!?;:,\n\u2026\u3001\u3002]+")


class Found(NamedTuple):
    """A prompt by its number, the probability that its replies are right, and how it was found."""

    prompt: int
    probability: float
    how: str


class Knowledge:
    """Pairs of prompt and reply, as `knowledge_arrays` made them. It never changes, so threads may share it."""

    def __init__(self, arrays: Arrays) -> None:
        self.since = time.time()
        self.index = PromptIndex(arrays)
        self.threshold = float(arrays["threshold"][0])
        self._classifiers = {language: Classifier(_of(language, arrays)) for language in arrays["languages"].tolist()}
        self._near: list[float] = arrays["near_calibration"].tolist()
        self._guess: list[float] = arrays["guess_calibration"].tolist()
        self._learned: NDArray[np.bool_] = np.isin(
            np.arange(len(arrays["topic_prompt"])),
            [topic for classifier in self._classifiers.values() for topic in classifier.topics],
        )
        self._all_learned = bool(self._learned.all())
        self._topic_prompt: Ints = arrays["topic_prompt"]

    def find(self, text: str, text_key: str, before: str = "") -> list[Found]:
        """What is known of a text, given its key and the line before it; the most probable first, at most four."""
        found = self._known(text_key)
        if found and found[0].probability >= SURE:
            return found
        if before and len(text_key.split()) <= SHORT and (following := self.index.prompts_after(before)):
            shared = partial(self._shared, {*text_key.split()})
            likest = max(following, key=shared)
            if shared(likest):
                return [Found(likest, SURE, "the dialogue"), *found]
        return sorted([*found, *self._clauses(text)], key=_by_probability)[:4]

    def says(self, pair: Pair) -> bool:
        """Whether that is a reply to that prompt."""
        number = self.index.exact(key(pair.prompt))
        return number is not None and pair.reply in self.index.replies_to(number)

    def _similar(self, text_key: str) -> list[Found]:
        found = [
            Found(
                int(self._topic_prompt[guess.topic]), probability(self._guess, guess.margin, guess.covered), "the topic"
            )
            for guess in self._guesses(terms(text_key))
            if guess.topic != NO_TOPIC
        ]
        sure = bool(found) and found[0].probability >= SURE
        least = ALMOST if sure or self._all_learned else NEAR
        found += [
            Found(match.prompt, probability(self._near, match.nearness, match.covered), "the nearest prompt")
            for match in self.index.nearest(self.index.look_up(text_key), least=least)
            if match.nearness >= ALMOST or not self._learned[self.index.prompt_topic[match.prompt]]
        ]
        return sorted(found, key=_by_probability)

    def _guesses(self, words: list[str]) -> list[Guess]:
        """Of the classifiers of the language, those that know most of the words, and of the one without a language."""
        known = {language: classifier.known(words) for language, classifier in self._classifiers.items()}
        most = max(known.values(), default=0)
        asked = [self._classifiers[language] for language, count in known.items() if not language or count == most]
        return [guess for classifier in asked for guess in classifier.guess(words)]

    def _clauses(self, text: str) -> list[Found]:
        """What is known of the parts of a text that are more than a word, or the same as a prompt."""
        clauses = [text_key for clause in _CLAUSE_END.split(text)[:MOST_CLAUSES] if (text_key := key(clause))]
        if len(clauses) < 2:
            return []
        length = sum(map(len, clauses))
        shares = [SHORT_CLAUSE_SHARE + (CLAUSE_SHARE - SHORT_CLAUSE_SHARE) * len(clause) / length for clause in clauses]
        return [
            Found(one.prompt, one.probability * share, f"{one.how}, for a part")
            for clause, share in zip(clauses, shares, strict=True)
            for one in self._known(clause)[:1]
        ]

    def _known(self, text_key: str) -> list[Found]:
        text_key = self.index.drawn_in(text_key)
        exact = self.index.exact(text_key)
        return [Found(exact, 1.0, "the same prompt")] if exact is not None else self._similar(text_key)

    def _shared(self, words: set[str], prompt: int) -> int:
        return len(words.intersection(key(self.index.prompts[prompt]).split()))


def _by_probability(found: Found) -> float:
    return -found.probability


def _of(language: str, arrays: Arrays) -> Arrays:
    return {
        name.removeprefix(f"{language}."): array for name, array in arrays.items() if name.startswith(f"{language}.")
    }


def knowledge_arrays(pairs: Iterable[Pair], before: Arrays | None = None) -> Arrays:
    """The arrays of all that is worked out while training, from pairs in the order of their ranks.

    What was learned `before` from the same lesson is taken over: it is what takes most of the time.
    """
    arrays = index_arrays(pairs)
    index = PromptIndex(arrays)
    lessons = topics_to_learn(index)
    learned = {
        language: _learned(lesson, len(lessons), _of(language, before or {})) for language, lesson in lessons.items()
    }
    near = index_examples(index)
    guesses = [
        (margin, covered, right == 1) for one in learned.values() for margin, covered, right in one["examples"].tolist()
    ]
    calibrations = [(fit(near), near), (fit(guesses), guesses)]
    return {
        **arrays,
        **{f"{language}.{name}": array for language, one in learned.items() for name, array in one.items()},
        "languages": np.array([*lessons], np.str_),
        "topic_prompt": np.unique(index.prompt_topic, return_index=True)[1].astype(np.int32),
        "near_calibration": np.array(calibrations[0][0]),
        "guess_calibration": np.array(calibrations[1][0]),
        "threshold": np.array([threshold(calibrations)]),
    }


def _learned(lesson: Lesson, lessons: int, before: Arrays) -> Arrays:
    """The arrays of a classifier, of the examples for its calibration, and of what tells its lesson from others."""
    content = json.dumps([lesson.texts, lesson.labels, lessons]).encode()
    digest = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
    if np.array_equal(before.get("lesson", ()), digest):
        learned = before
    else:
        classifier = classifier_arrays(lesson.texts, lesson.labels)
        examples = classifier_examples(lesson.texts, lesson.labels, lessons)
        learned = {
            **classifier,
            "label": classifier["topic"],
            "examples": np.array(examples, np.float64).reshape(-1, 3),
            "lesson": digest,
        }
    return learned | {"topic": np.array([*lesson.topics, NO_TOPIC], np.int32)[learned["label"]]}
