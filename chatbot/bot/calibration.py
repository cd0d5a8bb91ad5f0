"""How probable it is that a reply is right, worked out from the trained data itself by asking it what it should know.

Right cases are trained prompts with a mistake, a word more or a word less. Wrong cases are prompts whose topic has been
taken away, as if nobody had trained it: whatever is found for them is a wrong reply that sounds like a right one.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import exp
from typing import NamedTuple

import numpy as np

from chatbot.bot.classifier import NO_TOPIC, Classifier, classifier_arrays
from chatbot.bot.corpora import language_of
from chatbot.bot.index import PromptIndex
from chatbot.bot.words import key, terms

MIN_PROMPTS = 5
"""A topic with fewer prompts is left to the index."""

MOST_TOPICS = 600
MOST_WORK = 13_500_000
"""Bounds for what the classifier of a language is trained on: the largest topics, and so many prompts, a sample of the
large ones, that prompts times topics, which is what training takes its time for, are no more than this."""

ASKED = 1500
"""How many prompts the index is asked."""

UNKNOWN = ""
"""The language of what is no packaged corpus."""

FOLD_TOPICS = 120
FOLDS = 5
ROUNDS = 3
"""Of so many topics, a fifth of the topics and of the prompts is taken away, three times another fifth."""

REFUSED = 0.02
LEAST, MOST = 0.25, 0.5
"""The threshold refuses so many of the right replies, but it lies between these probabilities."""

SEED = 2019

USUAL = (15.0, 0.0, -10.5)
"""The calibration of the index for the English corpus, rounded; for knowledge that is too small to be asked about."""


class Lesson(NamedTuple):
    """What a classifier is trained on: the words of prompts, the label of each, and the topic that a label stands for.

    Words and labels do not depend on how the index numbers its topics, so a lesson is known again.
    """

    texts: list[list[str]]
    labels: list[int]
    topics: list[int]


Example = tuple[float, float, bool]
"""What was measured of a reply, and whether it is right."""


def probability(calibration: Sequence[float], first: float, second: float) -> float:
    """Of a reply being right, by what was measured of it: nearness or margin, and the share of the text covered."""
    return 1 / (1 + exp(-(calibration[0] * first + calibration[1] * second + calibration[2])))


def topics_to_learn(index: PromptIndex) -> dict[str, Lesson]:
    """A lesson for each language; prompts in another teach nothing, and cost time and memory.

    Sources whose language is unknown are one more, for which all other prompts are of no topic.
    """
    by_topic = _prompts_by_topic(index)
    languages: defaultdict[str, list[int]] = defaultdict(list)
    for topic, prompts in by_topic.items():
        counts = Counter(language_of(index.sources[index.prompt_source[prompt]]) for prompt in prompts)
        languages[max(sorted(counts), key=counts.__getitem__)].append(topic)
    lessons = {}
    for language, own in languages.items():
        large = sorted((topic for topic in own if len(by_topic[topic]) >= MIN_PROMPTS), key=lambda t: -len(by_topic[t]))
        topics = {topic: by_topic[topic] for topic in large[:MOST_TOPICS]}
        others = own if language != UNKNOWN else by_topic
        no_topic = [prompt for topic in others if topic not in topics for prompt in by_topic[topic]]
        if topics:
            lessons[language] = _lesson(index, topics, no_topic)
    return lessons


def _lesson(index: PromptIndex, by_topic: dict[int, list[int]], no_topic: list[int]) -> Lesson:
    chosen = random.Random(SEED)  # noqa: S311 - no secret
    most = _most_of_each([*map(len, by_topic.values()), len(no_topic)])
    keys = {topic: sorted(key(index.prompts[prompt]) for prompt in prompts) for topic, prompts in by_topic.items()}
    topics = sorted(keys, key=keys.__getitem__)
    rest = sorted(key(index.prompts[prompt]) for prompt in no_topic)
    texts: list[list[str]] = []
    labels: list[int] = []
    for label, prompts in [*enumerate(keys[topic] for topic in topics), (NO_TOPIC, rest)]:
        sample = chosen.sample(prompts, min(len(prompts), most))
        texts += map(terms, sample)
        labels += [label] * len(sample)
    return Lesson(texts, labels, topics)


def _most_of_each(sizes: list[int]) -> int:
    """How many of each can be taken within MOST_WORK, where small ones leave room to large ones."""
    left = MOST_WORK // len(sizes)
    for place, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - place)
        if size > share:
            return max(share, MIN_PROMPTS)
        left -= size
    return max(sizes)


def _prompts_by_topic(index: PromptIndex) -> dict[int, list[int]]:
    by_topic: defaultdict[int, list[int]] = defaultdict(list)
    for prompt, topic in enumerate(index.prompt_topic.tolist()):
        by_topic[topic].append(prompt)
    return by_topic


def index_examples(index: PromptIndex) -> list[Example]:
    """What the index finds for prompts with a mistake, and for prompts whose topic has been taken away."""
    chosen = random.Random(SEED)  # noqa: S311 - no secret
    by_topic = _prompts_by_topic(index)
    examples = []
    for prompt in chosen.sample(range(len(index)), min(len(index), ASKED)):
        topic = int(index.prompt_topic[prompt])
        known = key(index.prompts[prompt])
        for asked, but in ((changed(known, chosen), ()), (known, [prompt]), (known, by_topic[topic])):
            examples += [
                (match.nearness, match.covered, int(index.prompt_topic[match.prompt]) == topic)
                for match in index.nearest(index.look_up(asked), 1, but=but)
            ]
    return examples


def changed(text: str, chosen: random.Random) -> str:
    """The text with one letter or word wrong."""
    words = text.split()
    place = chosen.randrange(len(words))
    change = chosen.random()
    if change < 1 / 3 and len(words) > 2:
        del words[place]
    elif change < 2 / 3:
        words.insert(place, chosen.choice(words))
    else:
        letters = list(words[place])
        letter = chosen.randrange(len(letters))
        letters[letter : letter + 1] = chosen.choice(("", letters[letter] * 2, chosen.choice(text.replace(" ", ""))))
        words[place] = "".join(letters)
    return " ".join(words)


def classifier_examples(texts: Sequence[Sequence[str]], labels: Sequence[int], lessons: int = 1) -> list[Example]:
    """What the classifier guesses for prompts it was not trained on; of a fifth of them it does not know the topic.

    The more lessons there are, the fewer examples are taken from each.
    """
    chosen = random.Random(SEED)  # noqa: S311 - no secret
    known = sorted(set(labels) - {NO_TOPIC})
    known = chosen.sample(known, min(len(known), FOLD_TOPICS // lessons))
    topic_fold = {topic: number % FOLDS for number, topic in enumerate(known)}
    asked = [
        (words, topic, chosen.randrange(FOLDS))
        for words, topic in zip(texts, labels, strict=True)
        if topic in topic_fold
    ]
    examples = []
    for fold in range(ROUNDS):
        trained = [(words, topic) for words, topic, own in asked if own != fold and topic_fold[topic] != fold]
        model = Classifier(classifier_arrays(*zip(*trained, strict=True))) if trained else None
        for words, topic, own in asked:
            if own == fold and model:
                examples += [(guess.margin, guess.covered, guess.topic == topic) for guess in model.guess(words)[:1]]
    return examples


def fit(examples: list[Example]) -> list[float]:
    """The calibration that fits the examples best, for `probability`; USUAL if there are none of both kinds."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - serving does without it

    right = [example[2] for example in examples]
    if len(set(right)) < 2:
        return list(USUAL)
    model = LogisticRegression(C=100).fit([example[:2] for example in examples], right)
    return [*model.coef_[0].tolist(), float(model.intercept_[0])]


def threshold(calibrations: Sequence[tuple[list[float], list[Example]]]) -> float:
    """The probability below which Diego says that he does not know; from calibrations and what they were fitted to."""
    right = [
        probability(calibration, first, second)
        for calibration, examples in calibrations
        for first, second, is_right in examples
        if is_right
    ]
    return min(MOST, max(LEAST, float(np.quantile(right, REFUSED)))) if right else LEAST
