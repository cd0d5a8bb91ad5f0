import re
from collections import Counter

import pytest

from chatbot.bot.skills.clock import Clock
from chatbot.bot.skills.count import ClientCount
from chatbot.bot.skills.units import Units
from chatbot.web.pages import HERE
from chatbot.web.texts import LANGUAGES, preferred_language, texts
from tests.skilled import ask, skilled

NAMES = texts("en").keys()
SOURCES = [*(HERE / "static").glob("*.js"), *(HERE / "templates").glob("*.html")]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("es", "es"),
        ("fr-CA,fr;q=0.8,en;q=0.5", "fr"),
        ("en;q=0.5, ES;q=0.9", "es"),
        ("de,es;q=0.7,fr;q=0.7", "es"),
        ("de-DE,de;q=0.9", "en"),
        ("es;q=0,fr;q=0.1", "fr"),
        ("fr;q=0", "en"),
        ("*", "en"),
        ("zh-Hant-TW;q=1.0,fr;q=0.001", "fr"),
        ("es;q=x,,;;,fr", "fr"),
        (",".join(["xx"] * 100_000), "en"),
    ],
)
def test_the_language_that_is_wanted_most_is_taken(accepted: str, language: str) -> None:
    assert preferred_language(accepted) == language


def test_there_are_three_languages() -> None:
    assert LANGUAGES == ("en", "es", "fr")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things_with_the_same_values(language: str) -> None:
    assert texts(language).keys() == NAMES
    for name in NAMES:
        assert texts(language)[name].strip(), name
        assert Counter(values(texts(language)[name])) == Counter(values(texts("en")[name])), name


def values(text: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", text)


@pytest.mark.parametrize("language", ["es", "fr"])
def test_nothing_is_left_in_english(language: str) -> None:
    same = {name for name in NAMES if texts(language)[name] == texts("en")[name]}
    assert same <= {"message", "menu", "conversation"}  # which are the same words in French


@pytest.mark.parametrize("language", LANGUAGES)
def test_diego_has_an_answer_to_each_question_that_the_page_suggests(language: str) -> None:
    skills = [skilled(skill, count_clients=lambda: 1) for skill in (ClientCount, Clock, Units)]
    for name in ("try_1", "try_2", "try_3"):
        assert any(ask(skill, texts(language)[name]) for skill in skills), name


def test_every_text_that_is_named_is_there_and_every_one_that_is_there_is_named() -> None:
    sources = "".join(file.read_text(encoding="utf-8") for file in SOURCES)
    named = set(re.findall(r"texts\.(\w+)", sources)) | set(re.findall(r'\btext\(\s*"(\w+)"', sources))
    counted = {f"{name}_{form}" for name in re.findall(r'counted\("(\w+)"', sources) for form in ("one", "other")}
    states = {"connecting", "connected", "lost", "restarting", "forgotten"}  # by the connection's state
    assert named | counted | states | {"joined", "left"} == NAMES
