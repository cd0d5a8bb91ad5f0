import random
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import pytest

from chatbot.bot import calibration
from chatbot.bot.calibration import (
    LEAST,
    MIN_PROMPTS,
    MOST,
    changed,
    classifier_examples,
    fit,
    index_examples,
    probability,
    threshold,
    topics_to_learn,
)
from chatbot.bot.classifier import NO_TOPIC
from chatbot.bot.formats import Pair
from chatbot.bot.index import PromptIndex, index_arrays
from chatbot.bot.spelling import one_mistake


def index_of(**topics: list[str]) -> PromptIndex:
    """An index of prompts; each topic's name is the reply."""
    return PromptIndex(index_arrays(pairs("a.yml", **topics)))


def pairs(source: str, /, **topics: list[str]) -> Iterator[Pair]:
    return (Pair(text, topic, None, source, 1, 1) for topic, texts in topics.items() for text in texts)


RAIN = [f"will it rain {day}" for day in ("today", "tomorrow", "tonight", "on monday", "on friday", "this week")]
MONEY = [f"how much money {what}" for what in ("is left", "have i", "do i owe", "did i spend", "came in", "is mine")]
FEW = ["who are you", "what is your name"]


def test_a_probability_grows_with_what_was_measured() -> None:
    assert probability([0, 0, 0], 1, 1) == 0.5
    assert probability([10, 1, -5], 1, 1) == pytest.approx(0.9975, abs=1e-4)
    assert probability([10, 1, -5], 0.2, 1) < probability([10, 1, -5], 0.3, 1) < probability([10, 1, -5], 0.9, 1) < 1


def test_a_calibration_tells_right_examples_from_wrong_ones() -> None:
    examples = [(n / 100, 0.5, n > 50 + (n % 7)) for n in range(100)]
    fitted = fit(examples)
    assert probability(fitted, 0.95, 0.5) > 0.9
    assert probability(fitted, 0.1, 0.5) < 0.1
    assert 0.2 < probability(fitted, 0.53, 0.5) < 0.8


@pytest.mark.parametrize("examples", [[], [(1.0, 1.0, True)] * 9, [(1.0, 1.0, False)] * 9])
def test_without_examples_of_both_kinds_what_is_usual_holds(examples: list[tuple[float, float, bool]]) -> None:
    assert probability(fit(examples), 0.9, 0.9) > 0.9
    assert probability(fit(examples), 0.5, 0.5) < 0.1


def test_topics_of_many_prompts_are_learned_and_the_others_are_no_topic() -> None:
    assert len(RAIN) > MIN_PROMPTS > len(FEW)
    texts, labels, topics = topics_to_learn(index_of(rain=RAIN, money=MONEY, few=FEW))[""]
    assert len(topics) == 2
    by_text = {" ".join(text): topic for text, topic in zip(texts, labels, strict=True)}
    assert by_text.keys() == {*RAIN, *MONEY, *FEW}
    assert {by_text[text] for text in FEW} == {NO_TOPIC}
    assert len({by_text[text] for text in RAIN}) == len({by_text[text] for text in MONEY}) == 1
    assert by_text[RAIN[0]] != by_text[MONEY[0]] != NO_TOPIC != by_text[RAIN[0]]


def test_without_a_topic_of_many_prompts_none_is_learned() -> None:
    assert topics_to_learn(index_of(few=FEW)) == {}
    assert topics_to_learn(index_of()) == {}


def test_what_is_learned_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "MOST_WORK", 80)
    monkeypatch.setattr(calibration, "MOST_TOPICS", 1)
    large = [f"large {number}" for number in range(100)]
    texts, labels, topics = topics_to_learn(index_of(rain=RAIN, large=large))[""]
    assert len(texts) == 40
    assert len(topics) == 1
    assert labels.count(NO_TOPIC) == len(RAIN)  # small ones leave room
    assert {label for text, label in zip(texts, labels, strict=True) if text[0] == "large"} == {0}


def test_a_language_is_taught_with_its_own_prompts_and_an_unknown_one_with_all() -> None:
    french = [f"pleut il {day}" for day in ("ici", "demain", "ce soir", "lundi", "vendredi")]
    given = chain(
        pairs("chatbot.corpus.english.weather", rain=RAIN, few=FEW),
        pairs("chatterbot.corpus.french.weather", pluie=french),
        pairs("hours.csv", money=MONEY),
    )
    lessons = topics_to_learn(PromptIndex(index_arrays(given)))
    taught = {language: Counter(label == NO_TOPIC for label in lesson.labels) for language, lesson in lessons.items()}
    assert taught == {
        "english": {False: len(RAIN), True: len(FEW)},
        "french": {False: len(french)},
        "": {False: len(MONEY), True: len(RAIN) + len(FEW) + len(french)},
    }


def test_a_lesson_is_the_same_however_the_index_numbers_its_topics() -> None:
    weather = list(pairs("chatbot.corpus.english.weather", rain=RAIN, money=MONEY, few=FEW))
    other = list(pairs("hours.csv", other=["will it rain on me", "how much"]))
    one = topics_to_learn(PromptIndex(index_arrays(weather)))["english"]
    two = topics_to_learn(PromptIndex(index_arrays(other + weather[::-1])))["english"]
    assert one.topics != two.topics
    assert (one.texts, one.labels) == (two.texts, two.labels)


def test_a_changed_text_has_one_mistake() -> None:
    dice = random.Random(1)
    text = "what is the weather like"
    kinds = set()
    for _ in range(300):
        words, before = changed(text, dice).split(), text.split()
        kinds.add(len(words))
        if len(words) == 5:
            (pair,) = [pair for pair in zip(words, before, strict=True) if pair[0] != pair[1]] or [("", "x")]
            assert pair == ("", "x") or one_mistake(*pair)
        else:
            assert {*words} <= {*before}
    assert kinds == {4, 5, 6}


@pytest.mark.parametrize("text", ["a", "😀", "你好", "a b"])
def test_any_text_can_be_changed(text: str) -> None:
    dice = random.Random(1)
    assert len({changed(text, dice) for _ in range(100)}) > 1


def test_the_index_is_asked_what_it_should_and_what_it_should_not_know() -> None:
    examples = index_examples(index_of(rain=RAIN, snow=[text.replace("rain", "snow") for text in RAIN]))
    assert {right for _, _, right in examples} == {True, False}
    assert all(0 <= nearness <= 1 and 0 <= covered <= 1.001 for nearness, covered, _ in examples)


def test_the_classifier_is_asked_what_it_should_and_what_it_should_not_know() -> None:
    topics = {name: [f"{name} {text}" for text in RAIN + MONEY] for name in ("red", "blue", "green", "black", "white")}
    examples = classifier_examples(*topics_to_learn(index_of(**topics))[""][:2])
    right = [margin for margin, _, is_right in examples if is_right]
    wrong = [margin for margin, _, is_right in examples if not is_right]
    assert right
    assert wrong
    assert sum(right) / len(right) > sum(wrong) / len(wrong)


def test_the_same_data_give_the_same_examples() -> None:
    index = index_of(rain=RAIN, money=MONEY)
    assert index_examples(index) == index_examples(index)
    assert topics_to_learn(index) == topics_to_learn(index)


def test_the_threshold_refuses_few_right_replies() -> None:
    examples = [(number / 1000, 0.0, True) for number in range(500, 1000)] + [(0.1, 0.0, False)] * 500
    fitted = [50.0, 0.0, -26.0]
    assert threshold([(fitted, examples)]) == pytest.approx(probability(fitted, 0.51, 0), abs=0.01)


def test_the_threshold_has_an_upper_bound() -> None:
    assert threshold([([0.0, 0.0, 10.0], [(1.0, 1.0, True)])]) == MOST


def test_the_threshold_has_a_lower_bound() -> None:
    assert threshold([]) == threshold([([0.0, 0.0, -10.0], [(1.0, 1.0, True)])]) == LEAST
