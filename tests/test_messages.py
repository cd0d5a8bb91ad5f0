import pytest

from chatbot.messages import BLANK, MAX_CHARACTERS, TOO_LONG, RefusedMessage, read_prompt


def refusal(message: str) -> str:
    with pytest.raises(RefusedMessage) as refused:
        read_prompt(message)
    return str(refused.value)


@pytest.mark.parametrize(
    ("message", "prompt"),
    [
        ("  Hi\r\n", "Hi"),
        ("H\0i\x1b[31m", "Hi[31m"),
        ("\ud83dHi\udc00", "Hi"),
        ("e\u0301", "é"),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("\u200dHi", "\u200dHi"),
        ("ﬁ²", "ﬁ²"),
        ("H\x9bi", "Hi"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("\u0301", "\u0301"),
        ("\U0001fae9", "\U0001fae9"),  # an emoji of Unicode 16, which Python 3.11 does not know
        ("Hi\rthere\x85", "Hi\nthere"),
    ],
)
def test_what_a_message_says(message: str, prompt: str) -> None:
    assert read_prompt(message) == prompt


@pytest.mark.parametrize("message", ["", " \t\r\n", "\0\x7f\x9f", "\ud800", "\u200b\u2060\ufeff", "\u3000\u2029"])
def test_a_message_that_says_nothing_is_refused(message: str) -> None:
    assert refusal(message) == BLANK


def test_the_limit_counts_characters_in_their_shortest_form() -> None:
    four_code_points = "\u1fa6"  # ᾦ
    decomposed = "\u03c9\u0313\u0342\u0345"
    assert read_prompt(decomposed * MAX_CHARACTERS) == four_code_points * MAX_CHARACTERS
    assert refusal(decomposed * (MAX_CHARACTERS + 1)) == TOO_LONG
    assert refusal("x" * (MAX_CHARACTERS + 1)) == TOO_LONG
    assert refusal("x" * 10_000_000) == TOO_LONG
