from itertools import product

import numpy as np
import pytest

from chatbot.bot.classifier import NO_TOPIC, Classifier, classifier_arrays

WEATHER, MONEY = 7, 3
TEXTS = {
    WEATHER: ["will it rain today", "is it sunny outside", "how is the weather", "rain tomorrow", "weather forecast"],
    MONEY: ["how much is my balance", "send money to mum", "what is my balance", "transfer money", "pay my bill"],
    NO_TOPIC: ["who wrote hamlet", "tell me a joke", "sing a song", "what is a poem", "recite a sonnet"],
}


def classifier(*topics: int) -> Classifier:
    texts, labels = zip(*((text.split(), topic) for topic in topics for text in TEXTS[topic]), strict=True)
    return Classifier(classifier_arrays(texts, labels))


@pytest.mark.parametrize("topics", [(WEATHER, MONEY), (MONEY, WEATHER), (WEATHER, MONEY, NO_TOPIC)])
@pytest.mark.parametrize(
    ("text", "topic"),
    [("weather for tomorrow", WEATHER), ("will it be sunny", WEATHER), ("my money", MONEY), ("pay the balance", MONEY)],
)
def test_an_unseen_wording_is_of_the_topic_whose_words_it_has(topics: tuple[int, ...], text: str, topic: int) -> None:
    best, *_ = classifier(*topics).guess(text.split())
    assert best.topic == topic


def test_a_word_in_another_form_is_known_by_its_pieces() -> None:
    both = classifier(WEATHER, MONEY)
    alone, rainy = (both.guess(text.split())[0] for text in ("is", "is raining"))
    assert rainy.topic == WEATHER
    assert rainy.margin != alone.margin


def test_two_topics_are_guessed_the_better_first() -> None:
    first, second = classifier(WEATHER, MONEY, NO_TOPIC).guess(["rain", "money", "weather"])
    assert first.margin >= second.margin
    assert {first.topic, second.topic} == {WEATHER, MONEY}


def test_every_trained_text_is_of_its_topic() -> None:
    both = classifier(WEATHER, MONEY)
    for topic, place in product((WEATHER, MONEY), range(5)):
        assert both.guess(TEXTS[topic][place].split())[0].topic == topic


def test_what_belongs_to_no_topic_is_not_guessed() -> None:
    assert classifier(WEATHER, MONEY, NO_TOPIC).guess(["who", "wrote", "a", "poem"]) == []


def test_a_text_of_unknown_words_is_not_guessed() -> None:
    assert classifier(WEATHER, MONEY).guess(["rainy", "xyzzy"]) == []
    assert classifier(WEATHER, MONEY).guess([]) == []


def test_covered_is_the_share_of_the_text_that_the_topic_has_too() -> None:
    both = classifier(WEATHER, MONEY)
    whole, half, with_unknown = (both.guess(text.split())[0] for text in ("rain weather", "rain money", "rain xyzzy"))
    assert whole.covered == pytest.approx(1)
    assert 0.3 < half.covered < 0.7
    assert 0 < with_unknown.covered < 0.7


def test_the_order_of_words_matters() -> None:
    texts = ["dog bites man", "man bites dog"]
    model = Classifier(classifier_arrays([text.split() for text in texts] * 5, [0, 1] * 5))
    assert [model.guess(text.split())[0].topic for text in texts] == [0, 1]


@pytest.mark.parametrize("topics", [(), (WEATHER,)])
def test_with_fewer_than_two_topics_nothing_is_guessed(topics: tuple[int, ...]) -> None:
    texts = [text.split() for topic in topics for text in TEXTS[topic]]
    model = Classifier(classifier_arrays(texts, [topic for topic in topics for _ in TEXTS[topic]]))
    assert model.guess(["will", "it", "rain"]) == []


def test_guessing_changes_nothing() -> None:
    model = classifier(WEATHER, MONEY, NO_TOPIC)
    first = model.guess(["rain", "money"])
    model.guess(["rain", "rain", "xyzzy"])
    assert model.guess(["rain", "money"]) == first


def test_the_same_texts_make_the_same_model() -> None:
    texts, labels = [text.split() for text in TEXTS[WEATHER] + TEXTS[MONEY]], [WEATHER] * 5 + [MONEY] * 5
    one, other = classifier_arrays(texts, labels), classifier_arrays(texts, labels)
    for name, array in one.items():
        assert np.array_equal(array, other[name]), name
