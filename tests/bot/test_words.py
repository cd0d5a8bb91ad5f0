import pytest
from chatterbot import languages

from chatbot.bot.words import WordTagger, drawn_out, key, terms, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What's   UP, Diego?!", ["whats", "up", "diego"]),
        ("I don\u2019t know", ["i", "dont", "know"]),
        ("ＷＩＤＥ ﬁne Straße", ["wide", "fine", "strasse"]),
        ("C++ or C#?", ["c++", "or", "c#"]),
        ("well-known", ["well", "known"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया"]),
        ("Hi 😀!", ["hi"]),
        ("你好，世界", ["你好", "世界"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_texts_that_differ_in_case_and_punctuation_have_one_key() -> None:
    assert key("What is AI?") == key("what is  ai") != key("What is a I")


def test_a_text_without_words_is_its_own_key() -> None:
    assert key(" 😀 ") == "😀" != key("😢")


def test_the_tagger_gives_what_chatterbot_stores() -> None:
    tagger = WordTagger()
    assert tagger.language is languages.ENG
    assert tagger.needs_text_indexing()
    assert tagger.get_text_index_string("What is AI?") == "what is ai"
    assert len(tagger.get_text_index_string("İ" * 1100)) == 1100
    assert list(tagger.as_nlp_pipeline(["Hi"])) == ["Hi"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what is ai", ["what", "is", "ai"]),
        ("où est la gare", ["où", "est", "la", "gare"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("как дела", ["как", "дела"]),
        ("你好世界", ["你好", "好世", "世界"]),
        ("你", ["你"]),
        ("ชื่ออะไร", ["ชื", "ื่", "่อ", "ออ", "อะ", "ะไ", "ไร"]),
        ("python入門3", ["python", "入門", "3"]),
        ("😀", ["😀"]),
        ("", []),
    ],
)
def test_terms_are_words_or_pairs_of_characters_where_words_have_no_spaces(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("heyyy", ["heyy", "hey"]),
        ("hahahaha", ["hahaha", "haha", "ha"]),
        ("hahahah", ["hahah", "hah"]),
        ("soooo", ["sooo", "soo", "so"]),
        ("????", ["???", "??", "?"]),
        ("banana", []),
        ("good", []),
        ("", []),
    ],
)
def test_drawn_out_words_have_shorter_forms(word: str, forms: list[str]) -> None:
    assert drawn_out(word) == forms
