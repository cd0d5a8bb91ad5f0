"""The Python block of docs/skills.md, word for word, in ChatterBot's own chatbot."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from chatterbot import ChatBot

from chatbot.bot.words import WordTagger
from tests.processes import ROOT

PAGE = (ROOT / "docs/skills.md").read_text()
BUILT_IN = re.findall(r"^\| `(.+?)` \| (.+?) \|$", PAGE, re.MULTILINE)


def stock(folder: Path, adapter: str) -> ChatBot:
    return ChatBot(
        "Stock",
        storage_adapter="chatbot.bot.storage.KnowledgeStorage",
        database_uri=f"sqlite:///{folder}/stock.db",
        tagger=WordTagger,
        read_only=True,
        logic_adapters=[adapter],
    )


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatBot]:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "dice.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    bot = stock(tmp_path, "dice.Dice")
    with closing(bot.storage):
        yield bot


def test_the_skill_of_the_page_answers(bot: ChatBot) -> None:
    rolled = {str(bot.get_response("Roll 2d6!")) for _ in range(300)}
    assert rolled == {f"You rolled {pips}." for pips in range(2, 13)}
    assert str(bot.get_response("roll d1")) == "You rolled 1."


@pytest.mark.parametrize("message", ["let's roll", "roll 0d6", "roll 2d0", "hello"])
def test_the_skill_of_the_page_leaves_other_messages_alone(bot: ChatBot, message: str) -> None:
    (dice,) = bot.logic_adapters
    assert dice.answer(message) is None


def test_the_page_names_every_skill() -> None:
    modules = {path.stem for path in (ROOT / "chatbot/bot/skills").glob("*.py") if "(Skill):" in path.read_text()}
    assert {adapter.split(".")[-2] for adapter, _ in BUILT_IN} == modules


@pytest.mark.parametrize(("adapter", "questions"), BUILT_IN)
def test_the_skills_of_the_page_answer_its_questions(tmp_path: Path, adapter: str, questions: str) -> None:
    bot = stock(tmp_path, adapter)
    bot.count_clients = lambda: 1
    with closing(bot.storage):
        for question in re.findall(r"[^?]+\?", questions):
            assert bot.get_response(question.strip()).confidence == 1
