from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatbot.bot.export import corpus
from chatbot.bot.formats import Pair
from chatbot.bot.storage import KnowledgeStorage
from chatbot.bot.training import learn
from tests.databases import url_in


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KnowledgeStorage]:
    monkeypatch.chdir(tmp_path)
    with closing(KnowledgeStorage(database_uri=url_in("", "diego.db"))) as storage:
        yield storage


def pair(prompt: str, reply: str, before: str | None = None, source: str = "a.yml", rank: int = 0) -> Pair:
    return Pair(prompt, reply, before, source, 1, rank)


def said(storage: KnowledgeStorage) -> list[tuple[str, str, str | None]]:
    return [(pair.prompt, pair.reply, pair.before) for pair in storage.pairs()]


def read_back(lines: Iterator[str]) -> list[tuple[str, str, str | None]]:
    """What an empty database has learned from the lines."""
    Path("exported.yml").write_text("".join(lines))
    with closing(KnowledgeStorage(database_uri=url_in("", "other.db"))) as other:
        learn(other, ("exported.yml",))
        return said(other)


@pytest.mark.parametrize("name", ["chatterbot.corpus.english", "chatterbot.corpus"])
def test_what_was_exported_reads_back_as_it_was(storage: KnowledgeStorage, name: str) -> None:
    learn(storage, (name,))
    assert read_back(corpus(storage.pairs())) == said(storage) != []


def test_pairs_of_a_dialogue_stay_together() -> None:
    pairs = [pair("a", "b"), pair("b", "c", "a"), pair("b", "c"), pair("c", "d", "b"), pair("c", "d", "b", "b.yml")]
    dialogues = '- - "a"\n  - "b"\n  - "c"\n- - "b"\n  - "c"\n  - "d"\n- - "c"\n  - "d"\n'
    assert "".join(corpus(pairs)) == f"categories: []\nconversations:\n{dialogues}"


def test_replies_that_are_overruled_are_left_out() -> None:
    pairs = [pair("Hi", "Own"), pair("hi!", "Own, too"), pair("Sun", "Moon", rank=1), pair("Hi.", "Other", rank=1)]
    pairs += [pair("Sun", "Star", rank=2), pair("Hi", "Third", rank=2), pair("Bye", "See you", rank=2)]
    lines = [line.strip(' -"\n') for line in corpus(pairs)]
    assert lines[2:] == ["Hi", "Own", "hi!", "Own, too", "Sun", "Moon", "Bye", "See you"]


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize(
    "text",
    [
        "#",
        "- a",
        "a: b",
        "'",
        '"',
        "\\",
        "\\n",
        "*a",
        "&a",
        "{a",
        "yes",
        "~",
        "\x01",
        "\x7f",
        "\x9b",
        "\ufeff",
        "\ufffe",
        "😀",
    ],
)
def test_every_text_reads_back(text: str) -> None:
    assert read_back(corpus([pair(text, f"x{text}x")])) == [(text, f"x{text}x", None)]


def test_what_no_corpus_may_hold_is_left_out() -> None:
    assert "".join(corpus([pair("", "a"), pair("a", "\0"), pair("a", "x" * 1101)])) == (
        "categories: []\nconversations: []\n"
    )


def test_pairs_are_written_as_they_come() -> None:
    def pairs() -> Iterator[Pair]:
        yield pair("Hi", "Hello")
        pytest.fail("the first was to be written before the second is asked for")

    lines = corpus(pairs())
    assert [next(lines) for _ in range(4)][-1] == '  - "Hello"\n'
