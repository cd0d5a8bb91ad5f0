"""What Diego says when he does not know."""

import pytest

from chatbot.bot.receipts import Evidence, Receipt
from chatbot.bot.unknown import SENTENCES, unknown


@pytest.mark.parametrize(
    ("source", "language"),
    [
        ("chatbot.corpus.french.moods", "french"),
        ("chatterbot.corpus.spanish.greetings", "spanish"),
        ("chatbot.corpus.english.self", "english"),
        ("chatterbot.corpus.german.ai", "english"),
        ("/home/me/chatbot.corpus.french.yml", "english"),
        ("hours.csv", "english"),
    ],
)
def test_the_language_is_that_of_the_corpus_that_came_nearest(source: str, language: str) -> None:
    assert (
        unknown(Receipt("unknown", "", "", 0.0, runner_up=Evidence("a prompt", source, 1, 0.1))) == SENTENCES[language]
    )


def test_what_is_like_nothing_known_is_answered_in_english() -> None:
    assert unknown(Receipt("unknown", "", "", 0.0)) == SENTENCES["english"]


def test_every_language_has_several_sentences_of_its_own() -> None:
    sentences = [sentence for language in SENTENCES.values() for sentence in language]
    assert len(set(sentences)) == len(sentences)
    assert min(map(len, SENTENCES.values())) > 1
