import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatbot.bot.corpora import CorpusError
from chatbot.bot.storage import KnowledgeStorage
from chatbot.bot.training import train
from tests.processes import environment

A = "conversations:\n- [Hi, Hello]\n"
B = "conversations:\n- [Sun, Moon]\n"


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KnowledgeStorage]:
    monkeypatch.chdir(tmp_path)
    Path("a.yml").write_text(A)
    Path("b.yml").write_text(B)
    with closing(KnowledgeStorage(database_uri="sqlite:///diego.db")) as storage:
        yield storage


def row_ids() -> list[int]:
    with closing(sqlite3.connect("diego.db")) as database:
        return [number for (number,) in database.execute("SELECT id FROM statement ORDER BY id")]


def test_the_same_corpora_are_trained_once(storage: KnowledgeStorage, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        train(storage, ("a.yml", "b.yml"))
        assert caplog.messages == ["Training Diego on a.yml, b.yml.", "Statements that Diego knows: 4."]
        caplog.clear()
        before = row_ids()
        train(storage, ("a.yml", "b.yml"))
        assert caplog.messages == []
    assert row_ids() == before


def test_a_changed_file_is_trained_anew(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml",))
    Path("a.yml").write_text(B)
    train(storage, ("a.yml",))
    assert storage.pairs() == [("Sun", "Moon")]


def test_a_changed_setting_is_trained_anew(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml", "b.yml"))
    train(storage, ("b.yml",))
    assert storage.pairs() == [("Sun", "Moon")]


def test_a_bad_file_leaves_the_knowledge_as_it_was(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml",))
    Path("b.yml").write_text("conversations: [Hi")
    with pytest.raises(CorpusError, match=r"b\.yml:2"):
        train(storage, ("a.yml", "b.yml"))
    assert storage.pairs() == [("Hi", "Hello")]


KILLED_WHILE_TRAINING = """
import os, signal
from chatbot.bot.corpora import find_sources, read_corpus
from chatbot.bot.storage import KnowledgeStorage

storage = KnowledgeStorage(database_uri="sqlite:///diego.db")
corpora = [(read_corpus(source), "new") for source in find_sources(("large.yml",))]
written = []

def advance(rows):
    written.append(rows)
    if len(written) == 15:
        os.kill(os.getpid(), signal.SIGKILL)

storage.replace_knowledge(corpora, advance)
"""


def test_a_kill_in_the_middle_of_training_leaves_the_old_knowledge_whole(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml",))
    Path("large.yml").write_text("conversations:\n" + "".join(f"- [prompt {n}, reply {n}]\n" for n in range(10_000)))
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_TRAINING], env=environment(), check=False)
    assert killed.returncode == -9
    assert Path("diego.db-wal").stat().st_size > 0
    assert storage.pairs() == [("Hi", "Hello")]
    with closing(sqlite3.connect("diego.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    train(storage, ("large.yml",))
    assert len(storage.pairs()) == 10_000
