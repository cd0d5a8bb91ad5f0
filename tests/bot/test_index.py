import pytest

from chatbot.bot.index import PromptIndex

INDEX = PromptIndex(
    [
        ("What is AI?", "A field of science."),
        ("what is ai", "Artificial intelligence."),
        ("What is AI?", "A field of science."),
        ("What is the sun?", "A star."),
        ("What is the moon?", "A satellite."),
        ("Good morning", "Good morning!"),
        ("😀", "Happy to see you."),
    ]
)


@pytest.mark.parametrize("text", ["What is AI?", "WHAT IS AI", " what  is ai?!"])
def test_the_same_prompt_is_found_whatever_its_case_and_punctuation(text: str) -> None:
    match = INDEX.nearest(text)
    assert match is not None
    assert match.nearness == 1
    assert match.prompt == "What is AI?"
    assert match.replies == ("A field of science.", "Artificial intelligence.")


def test_a_text_without_words_finds_only_itself() -> None:
    match = INDEX.nearest("😀")
    assert match is not None
    assert match.replies == ("Happy to see you.",)
    assert INDEX.nearest("😢") is None


def test_rare_words_weigh_more() -> None:
    match = INDEX.nearest("tell me what the sun is")
    assert match is not None
    assert match.prompt == "What is the sun?"
    assert 0 < match.nearness < 1


def test_words_that_are_not_known_make_a_prompt_less_near() -> None:
    near, far = INDEX.nearest("sun"), INDEX.nearest("sun xyzzy plugh")
    assert near is not None
    assert far is not None
    assert near.nearness > far.nearness


def test_nothing_in_common_is_no_match() -> None:
    assert INDEX.nearest("xyzzy") is None
    assert PromptIndex([]).nearest("What is AI?") is None
