import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chatterbot import ChatBot
from chatterbot.adapters import Adapter
from chatterbot.conversation import Statement

from chatbot.bot.skills.skill import Skill
from chatbot.bot.words import WordTagger
from tests.databases import url_in
from tests.skilled import skilled

SKILLS = [
    "chatbot.bot.skills.count.ClientCount",
    "chatbot.bot.skills.clock.Clock",
    "chatbot.bot.skills.arithmetic.Arithmetic",
    "chatbot.bot.skills.units.Units",
]


class Parrot(Skill):
    hint = re.compile("polly")

    def answer(self, text: str) -> str | None:
        return f"Squawk: {text}" if "cracker" in text else None


@pytest.fixture
def chatbot(tmp_path: Path) -> Iterator[Callable[..., ChatBot]]:
    """Makes ChatterBot's own chatbot, with these logic adapters."""
    made = []

    def make(*adapters: str) -> ChatBot:
        chatbot = ChatBot(
            "Stock",
            storage_adapter="chatbot.bot.storage.KnowledgeStorage",
            database_uri=url_in(tmp_path, "stock.db"),
            tagger=WordTagger,
            read_only=True,
            logic_adapters=list(adapters),
        )
        made.append(chatbot)
        return chatbot

    yield make
    for chatbot in made:
        chatbot.storage.close()


def test_an_answer_is_certain() -> None:
    reply = skilled(Parrot).process(Statement("a cracker"))
    assert (reply.text, reply.confidence) == ("Squawk: a cracker", 1)


def test_no_answer_is_an_empty_one_without_confidence() -> None:
    reply = skilled(Parrot).process(Statement("hello"), {"selection": "parameters"})
    assert (reply.text, reply.confidence) == ("", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Polly!", True), ("POLLY", True), ("Molly", False), ("", False), (" " * 120 + "polly", False)],
)
def test_the_hint_is_looked_for_in_what_comes_first(text: str, *, expected: bool) -> None:
    assert skilled(Parrot).can_process(Statement(text)) is expected


def test_without_a_hint_every_message_is_looked_at() -> None:
    assert skilled(Skill).can_process(Statement("anything"))


def test_a_skill_must_say_how_it_answers() -> None:
    with pytest.raises(Adapter.AdapterMethodNotImplementedError):
        skilled(Skill).process(Statement("anything"))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who else is here?", "^Just you|Only you|Nobody but you"),
        ("What time is it in Tokyo?", r"^It is \d\d:\d\d on \w+day in Tokyo, Japan\.$"),
        ("What is 2 + 2?", "^2 \\+ 2 = 4$"),
        ("How many km in 5 miles?", "^5 mi = 8.04672 km$"),
    ],
)
def test_skills_are_adapters_for_any_chatterbot(chatbot: Callable[..., ChatBot], question: str, answer: str) -> None:
    bot = chatbot(*SKILLS)
    bot.count_clients = lambda: 1
    reply = bot.get_response(question)
    assert re.search(answer, reply.text)
    assert reply.confidence == 1


def test_chatterbot_does_not_take_the_silence_of_several_for_an_answer(chatbot: Callable[..., ChatBot]) -> None:
    bot = chatbot(*SKILLS)
    bot.count_clients = lambda: 1
    for skill in bot.logic_adapters:
        skill.can_process = lambda _: True
    assert bot.get_response("What is 2 + 2?").text == "2 + 2 = 4"


def test_skills_do_not_log_what_is_said(chatbot: Callable[..., ChatBot], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        for skill in chatbot(*SKILLS).logic_adapters:
            skill.process(Statement("what is 2 + 2 in secret"))
            skill.process(Statement("what is 2 + 2"))
    assert "2 + 2" not in caplog.text


def test_repetitions_take_no_more_time_than_their_length() -> None:
    # A process, as nothing else stops a pattern that is being matched.
    subprocess.run([sys.executable, "-m", "tests.bot.skills.repetitions"], check=True)
