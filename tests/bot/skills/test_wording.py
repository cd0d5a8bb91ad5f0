import time

import pytest

from chatbot.bot.skills.wording import core, fold, plain
from tests.skilled import nonsense


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What's   UP?", "what's up?"),
        ("What\u2019s up", "what's up"),
        ("¿Qué  año?", "que ano?"),
        ("２＋２", "2+2"),
        ("5−3", "5-3"),
        ("5\u00a0km", "5 km"),
        ("5′10″", "5'10\""),
        ("½ m²", "½ m²"),
        ("", ""),
    ],
)
def test_folding_unites_spellings(text: str, expected: str) -> None:
    assert fold(text) == expected


def test_plain_words_have_no_symbols() -> None:
    assert plain("¿Qué hora es, Diego?") == "que hora es diego"
    assert plain("What's the time in São Paulo?!") == "whats the time in sao paulo"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("hey diego, what is 2+2, please?", "what is 2+2"),
        ("could you please tell me the time", "the time"),
        ("do you know what time it is", "what time it is"),
        ("i'd like to know who is here", "who is here"),
        ("hola, ¿puedes decirme que hora es por favor?".replace("¿", ""), "que hora es"),
        ("salut, dis-moi quelle heure il est s'il te plait", "quelle heure il est"),
        ("what is 5!", "what is 5!"),
        ("sofa so good", "sofa so good"),
        ("y a t il quelquun", "y a t il quelquun"),
        ("please", "please"),
    ],
)
def test_courtesies_are_no_part_of_a_question(question: str, expected: str) -> None:
    assert core(question) == expected


def test_any_message_has_a_core() -> None:
    begin = time.thread_time()
    for text in nonsense():
        assert core(fold(text)) in fold(text)
        assert core(plain(text)) in plain(text)
    assert time.thread_time() - begin < 10
