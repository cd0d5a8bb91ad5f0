import pytest

from chatbot.bot.spelling import Speller, one_mistake, spelling_arrays

WORDS = ["computer", "cat", "cats", "weather", "whether", "kühlschrank", "x" * 31, "x" * 40]
FREQUENCIES = [1.0, 9.0, 2.0, 5.0, 3.0, 1.0, 1.0, 1.0]


def correct(word: str) -> str | None:
    return Speller(spelling_arrays(WORDS), WORDS).correct(word, FREQUENCIES)


@pytest.mark.parametrize(
    "word", ["computr", "omputer", "compute", "compuuter", "computers", "computar", "vomputer", "comptuer", "ocmputer"]
)
def test_a_letter_missing_too_many_wrong_or_in_another_place_is_corrected(word: str) -> None:
    assert correct(word) == "computer"


def test_letters_of_other_scripts_are_corrected() -> None:
    assert correct("kuhlschrank") == "kühlschrank"


@pytest.mark.parametrize("word", ["comptr", "mocputre", "elephant", ""])
def test_two_mistakes_are_too_many(word: str) -> None:
    assert correct(word) is None


@pytest.mark.parametrize(("word", "expected"), [("cst", None), ("catz", "cat"), ("x" * 30, "x" * 31), ("x" * 32, None)])
def test_words_that_are_too_short_or_too_long_are_left(word: str, expected: str | None) -> None:
    assert correct(word) == expected


def test_of_several_known_words_the_most_frequent_is_meant() -> None:
    assert correct("wheather") == "weather"


def test_a_speller_may_know_no_word() -> None:
    assert Speller(spelling_arrays([]), []).correct("computer", []) is None


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("abcd", "abcde", True),
        ("abcde", "abcd", True),
        ("abxd", "abcd", True),
        ("abdc", "abcd", True),
        ("bacd", "abcd", True),
        ("abcd", "abcd", False),
        ("abcdef", "abcd", False),
        ("adcb", "abcd", False),
        ("badc", "abcd", False),
        ("xbcy", "abcd", False),
    ],
)
def test_one_mistake_is_told_from_none_and_two(word: str, known: str, *, expected: bool) -> None:
    assert one_mistake(word, known) is expected
