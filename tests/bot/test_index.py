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


def test_one_rare_word_weighs_more_than_two_frequent_ones() -> None:
    index = PromptIndex([*((f"is it w{number}", "x") for number in range(20)), ("sun shine", "y")])
    match = index.nearest("is it sun")
    assert match is not None
    assert match.prompt == "sun shine"


def test_the_same_prompt_comes_before_one_of_the_same_words() -> None:
    match = PromptIndex([("Is AI what?", "a"), ("What is AI?", "b")]).nearest("what is ai")
    assert match is not None
    assert match.prompt == "What is AI?"


def test_the_nearest_shares_the_weightiest_words() -> None:
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
