import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from chatterbot.conversation import Statement

from chatbot.bot.corpora import CorpusError
from chatbot.bot.diego import Diego
from chatbot.bot.storage import KnowledgeStorage
from chatbot.settings import Settings
from tests.packaged import replies_in

UNKNOWN = ("I don't know.", "No idea.")


def settings(folder: Path, corpora: tuple[str, ...] = ("chatterbot.corpus.english",)) -> Settings:
    return Settings(database_url=f"sqlite:///{folder}/diego.db", corpora=corpora, default_responses=UNKNOWN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diego")


@pytest.fixture(scope="module")
def diego(folder: Path) -> Iterator[Diego]:
    with closing(Diego(settings(folder))) as diego:
        yield diego


def rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "diego.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM statement").fetchone()
    return int(count)


def test_he_answers_a_known_prompt_with_one_of_its_replies(diego: Diego) -> None:
    known = replies_in("chatterbot.corpus.english.ai", "What is AI?")
    assert len(known) > 1
    assert {str(diego.get_response("what is ai")) for _ in range(200)} == known


def test_he_answers_what_is_nearly_a_known_prompt(diego: Diego) -> None:
    reply = diego.get_response("Hey, what is a computer?")
    assert str(reply) in replies_in("chatterbot.corpus.english.computers", "What is a computer?")
    assert 0 < reply.confidence < 1


@pytest.mark.parametrize("prompt", ["xyzzy", "Which wine goes with rabbit?", "😢", "' OR 1=1 --", "%"])
def test_he_says_when_he_does_not_know(diego: Diego, prompt: str) -> None:
    replies = [diego.get_response(prompt) for _ in range(50)]
    assert {str(reply) for reply in replies} == set(UNKNOWN)
    assert {reply.confidence for reply in replies} == {0}


def test_he_learns_nothing_from_strangers(diego: Diego, folder: Path) -> None:
    before = rows(folder)
    for said in ("The moon is made of cheese", "What is the moon made of?") * 3:
        diego.get_response(said, conversation="a stranger")
    assert rows(folder) == before
    assert "cheese" not in str(diego.get_response("What is the moon made of?"))


def test_he_is_a_chatterbot(diego: Diego) -> None:
    assert str(diego.get_response(Statement("xyzzy"))) in UNKNOWN
    assert str(diego.get_response({"text": "xyzzy"})) in UNKNOWN
    assert diego.get_response("xyzzy", conversation="one").conversation == "one"


def test_threads_share_him(diego: Diego) -> None:
    prompts = ["What is AI?", "xyzzy"] * 200
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda prompt: str(diego.get_response(prompt)), prompts))
    known = replies_in("chatterbot.corpus.english.ai", "What is AI?")
    assert set(replies[::2]) <= known
    assert set(replies[1::2]) <= set(UNKNOWN)


def test_he_does_not_log_what_is_said(diego: Diego, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        diego.get_response("a secret")
        diego.get_response("What is AI?")
    assert [record for record in caplog.records if record.name.startswith("chatterbot")] == []


@pytest.mark.usefixtures("diego")
def test_a_second_start_adds_no_row(folder: Path) -> None:
    before = rows(folder)
    assert before == 4331
    Diego(settings(folder)).close()
    assert rows(folder) == before


def test_he_looks_nothing_up_in_the_database_to_reply(diego: Diego, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diego.storage, "Session", None)
    assert str(diego.get_response("xyzzy")) in UNKNOWN


@pytest.mark.parametrize("corpora", ["chatterbot.corpus.english.ai", "nowhere.yml"])
def test_his_database_is_closed_with_him_and_if_he_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpora: str
) -> None:
    closed = []

    def close(storage: KnowledgeStorage) -> None:
        closed.append(storage)

    monkeypatch.setattr(KnowledgeStorage, "close", close)
    if corpora == "nowhere.yml":
        with pytest.raises(CorpusError):
            Diego(settings(tmp_path, corpora=(corpora,)))
    else:
        diego = Diego(settings(tmp_path, corpora=(corpora,)))
        assert closed == []
        diego.close()
    assert len(closed) == 1
