import pytest

from chatbot.messages import RefusedMessage
from chatbot.web.people import NAME_EXPECTED, name_key, read_name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Ana", "Ana"),
        ("  Ana \t\n María ", "Ana María"),
        ("Mari\u0301a", "María"),
        ("A\x00n\x1ba\ud800", "Ana"),
        ("x" * 32, "x" * 32),
        ("<b>Ana</b>", "<b>Ana</b>"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\u202eana", "\u202eana"),
    ],
)
def test_a_name_is_tidied(given: str, name: str) -> None:
    assert read_name(given) == name


@pytest.mark.parametrize(
    "given", ["", " ", "\x00", "\u200b\u200d", "\u3164", "\u2060 \ufe0f", "x" * 33, "x" * 9999, 7, b"Ana"]
)
def test_what_is_no_name_is_refused(given: object) -> None:
    with pytest.raises(RefusedMessage, match=NAME_EXPECTED):
        read_name(given)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana", "ANA"),
        ("Straße", "STRASSE"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("Ana", "Ａｎａ"),
        ("Ana", "A\u200bn\xada\ufe0f"),
        ("Ana María", "Ana\u00a0María"),
        ("Ana María", "Ana \u2060 María"),
        ("ﬁn", "fin"),
        ("Ana", "\u202eAna\u202c"),
    ],
)
def test_names_that_look_the_same_are_the_same(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("Ana", "Anna"), ("Ana", "Aná"), ("Ana María", "AnaMaría"), ("1", "2")])
def test_other_names_are_others(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)
