import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from chatbot.bot.cache import training
from chatbot.bot.corpora import CorpusError, place
from chatbot.bot.database import StorageError
from chatbot.bot.storage import Change, KnowledgeStorage
from chatbot.bot.training import Forgotten, UnknownSourceError, forget, learn, train
from tests.bad_files import BAD_FILES
from tests.databases import ON_POSTGRESQL, execute, url_in
from tests.processes import environment

A = "conversations:\n- [Hi, Hello]\n"
B = "conversations:\n- [Sun, Moon]\n"
C = "conversations:\n- [Rain, Snow]\n"


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KnowledgeStorage]:
    monkeypatch.chdir(tmp_path)
    Path("a.yml").write_text(A)
    Path("b.yml").write_text(B)
    with closing(KnowledgeStorage(database_uri=url_in("", "diego.db"))) as storage:
        yield storage


def row_ids() -> list[int]:
    return [number for (number,) in execute(url_in(""), "SELECT id FROM statement ORDER BY id")]


def said(storage: KnowledgeStorage) -> list[tuple[str, str]]:
    return [(pair.prompt, pair.reply) for pair in storage.pairs()]


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
    assert said(storage) == [("Sun", "Moon")]


def test_a_changed_setting_is_trained_anew(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml", "b.yml"))
    train(storage, ("b.yml",))
    assert said(storage) == [("Sun", "Moon")]


def test_what_has_not_changed_is_not_written_again(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml", "b.yml"))
    Path("b.yml").write_text(C)
    train(storage, ("a.yml", "b.yml"))
    assert row_ids() == [1, 2, 3, 4]
    assert said(storage) == [("Hi", "Hello"), ("Rain", "Snow")]
    Path("b.yml").write_text(B)
    train(storage, ("b.yml", "a.yml"))
    assert [(pair.source, pair.rank) for pair in storage.pairs()] == [("b.yml", 1), ("a.yml", 2)]
    assert execute(url_in(""), "SELECT id FROM statement WHERE text = 'Hello'") == [(2,)]


def test_nobody_else_trains_meanwhile(storage: KnowledgeStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    changing = storage.changing

    def alone() -> AbstractContextManager[Change]:
        with pytest.raises(BlockingIOError), training(storage, wait=False):
            pass
        return changing()

    monkeypatch.setattr(storage, "changing", alone)
    train(storage, ("a.yml",))
    assert said(storage) == [("Hi", "Hello")]


def test_where_nothing_has_changed_nobody_is_waited_for(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml",))
    with ThreadPoolExecutor(1) as pool, training(storage):
        pool.submit(train, storage, ("a.yml",)).result(10)


def test_the_rank_is_the_position_in_the_setting(storage: KnowledgeStorage) -> None:
    train(storage, ("b.yml", ".", "a.yml"))
    assert [(source.name, source.rank) for source in storage.sources()] == [("b.yml", 1), ("a.yml", 2)]


def test_statements_that_are_missing_are_trained_anew(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml", "b.yml"))
    storage.remove("Hello")
    train(storage, ("a.yml", "b.yml"))
    assert said(storage) == [("Hi", "Hello"), ("Sun", "Moon")]


def test_the_setting_leaves_what_was_trained_by_command(storage: KnowledgeStorage) -> None:
    learn(storage, ("a.yml",))
    train(storage, ("b.yml",))
    assert [(pair.reply, pair.rank) for pair in storage.pairs()] == [("Hello", 0), ("Moon", 1)]
    version = storage.version()
    train(storage, ("b.yml", "a.yml"))
    assert storage.version() == version
    Path("b.yml").write_text(C)
    train(storage, ("b.yml",))
    assert [(pair.reply, pair.rank) for pair in storage.pairs()] == [("Hello", 0), ("Snow", 1)]


def outcomes(storage: KnowledgeStorage, *names: str, dry_run: bool = False) -> list[tuple[str, str, int]]:
    return [(one.name, one.outcome, one.statements) for one in learn(storage, names, dry_run=dry_run)]


def test_by_command_new_and_changed_files_are_learned_and_others_left(storage: KnowledgeStorage) -> None:
    assert outcomes(storage, "a.yml", "b.yml") == [("a.yml", "new", 2), ("b.yml", "new", 2)]
    version = storage.version()
    assert outcomes(storage, "a.yml") == [("a.yml", "unchanged", 2)]
    assert storage.version() == version
    Path("a.yml").write_text("conversations:\n- [Hi, Hey, Ho]\n")
    assert outcomes(storage, "a.yml") == [("a.yml", "replaced", 3)]
    assert sorted(said(storage)) == [("Hey", "Ho"), ("Hi", "Hey"), ("Sun", "Moon")]
    storage.remove("Moon")
    assert outcomes(storage, "b.yml") == [("b.yml", "replaced", 2)]


def test_one_file_under_many_names_is_one_source(storage: KnowledgeStorage) -> None:
    learn(storage, ("./a.yml", "a.yml"))
    for name in ("a.yml", "./a.yml", str(Path.cwd() / "a.yml"), str(Path("..", Path.cwd().name, "a.yml"))):
        assert outcomes(storage, name) == [("a.yml", "unchanged", 2)]
    assert [source.name for source in storage.sources()] == ["a.yml"]


def test_a_link_that_leads_elsewhere_is_the_same_source(storage: KnowledgeStorage) -> None:
    link = Path("current.yml")
    for file, outcome in (("a.yml", "new"), ("b.yml", "replaced")):
        link.unlink(missing_ok=True)
        link.symlink_to(file)
        assert outcomes(storage, "current.yml") == [("current.yml", outcome, 2)]
    assert said(storage) == [("Sun", "Moon")]
    assert forget(storage, ("current.yml",)) == [Forgotten("current.yml", 2)]


def test_files_of_one_name_in_two_folders_are_two_sources(
    storage: KnowledgeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(storage, ("a.yml",))
    Path("elsewhere").mkdir()
    Path("elsewhere/a.yml").write_text(B)
    monkeypatch.chdir("elsewhere")
    assert outcomes(storage, "a.yml") == [(place("a.yml"), "new", 2)]
    assert forget(storage, ("a.yml",)) == [Forgotten(place("a.yml"), 2)]
    assert forget(storage, ("a.yml",)) == [Forgotten("a.yml", 2)]


def test_a_source_of_the_setting_is_left(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml",))
    Path("a.yml").write_text(C)
    assert outcomes(storage, "./a.yml", "b.yml") == [("a.yml", "in DIEGO_CORPORA", 2), ("b.yml", "new", 2)]
    assert said(storage) == [("Sun", "Moon"), ("Hi", "Hello")]


def test_a_dry_run_reads_all_and_changes_nothing(storage: KnowledgeStorage) -> None:
    learn(storage, ("a.yml",))
    version = storage.version()
    Path("a.yml").write_text(C)
    assert outcomes(storage, ".", dry_run=True) == [("a.yml", "replaced", 2), ("b.yml", "new", 2)]
    Path("b.yml").write_text("conversations: Hi")
    with pytest.raises(CorpusError, match="b.yml:1"):
        learn(storage, (".",), dry_run=True)
    assert storage.version() == version


@pytest.mark.parametrize(("name", "content", "sentence"), BAD_FILES)
def test_any_bad_file_leaves_the_knowledge_as_it_was(
    storage: KnowledgeStorage, name: str, content: bytes, sentence: str
) -> None:
    learn(storage, ("a.yml",))
    Path("a.yml").write_text(C)
    before = (storage.version(), storage.sources(), list(storage.pairs()))
    Path(name).write_bytes(content)
    for change in (learn, train):
        with pytest.raises(CorpusError) as refused:
            change(storage, ("a.yml", "b.yml", name))
        assert str(refused.value) == sentence
        assert (storage.version(), storage.sources(), list(storage.pairs())) == before


def test_what_was_learned_is_forgotten_by_any_of_its_names(storage: KnowledgeStorage) -> None:
    Path("deep").mkdir()
    Path("deep/c.yml").write_text(C)
    learn(storage, ("a.yml", "b.yml", "deep", "chatterbot.corpus.english"))
    assert forget(storage, ("./a.yml", "b.yml")) == [Forgotten("a.yml", 2), Forgotten("b.yml", 2)]
    assert sum(one.statements for one in forget(storage, ("chatterbot.corpus.english",))) == 4331
    Path("deep/c.yml").unlink()
    assert forget(storage, ("deep",)) == [Forgotten("deep/c.yml", 2)]
    assert row_ids() == []


def refusal(storage: KnowledgeStorage, *names: str) -> str:
    with pytest.raises(UnknownSourceError) as refused:
        forget(storage, names)
    return str(refused.value)


def test_what_cannot_be_forgotten_is_refused(storage: KnowledgeStorage) -> None:
    train(storage, ("b.yml",))
    learn(storage, ("a.yml",))
    version = storage.version()
    assert refusal(storage, "a.yml", "a.yaml") == (
        "a.yaml: Diego was not trained on anything of that name. Did you mean a.yml?"
    )
    assert refusal(storage, "a") == (
        "a: Diego was not trained on anything of that name. See python -m chatbot sources."
    )
    assert refusal(storage, "b.yml") == "b.yml: this is in DIEGO_CORPORA. Take it out of that setting."
    assert storage.version() == version


def test_an_empty_name_is_refused(storage: KnowledgeStorage) -> None:
    learn(storage, (".",))
    version = storage.version()
    for change in (learn, train, forget):
        with pytest.raises(CorpusError, match="Expected the name of a file, folder or corpus, but got an empty one."):
            change(storage, ("a.yml", ""))
    assert storage.version() == version


def test_two_who_train_at_the_same_time(storage: KnowledgeStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("sqlite", "postgresql"):
        monkeypatch.setattr(f"chatbot.bot.{kind}.LOCK_SECONDS", 0.01)
    with closing(KnowledgeStorage(database_uri=url_in("", "diego.db"))) as other, storage.changing():
        for change in (learn, train):
            with pytest.raises(StorageError, match="is locked by another program"):
                change(other, ("a.yml",))
    assert outcomes(storage, "a.yml") == [("a.yml", "new", 2)]


KILLED_WHILE_TRAINING = """
import os, signal, sys
from chatbot.bot import formats, training
from chatbot.bot.storage import KnowledgeStorage

def killed(source, advance):
    corpus = formats.read_corpus(source, advance)
    return formats.Corpus(source, lines(corpus))

def lines(corpus):
    for number, line in enumerate(corpus.lines):
        if number == 15_000:
            os.kill(os.getpid(), signal.SIGKILL)
        yield line

training.read_corpus = killed
training.train(KnowledgeStorage(database_uri=sys.argv[1]), ("large.yml",))
"""


def test_a_kill_in_the_middle_of_training_leaves_the_old_knowledge_whole(storage: KnowledgeStorage) -> None:
    train(storage, ("a.yml",))
    Path("large.yml").write_text("conversations:\n" + "".join(f"- [prompt {n}, reply {n}]\n" for n in range(10_000)))
    command = [sys.executable, "-c", KILLED_WHILE_TRAINING, url_in("")]
    assert subprocess.run(command, env=environment(), check=False).returncode == -9
    assert ON_POSTGRESQL or Path("diego.db-wal").stat().st_size > 0
    assert said(storage) == [("Hi", "Hello")]
    assert ON_POSTGRESQL or execute(url_in(""), "PRAGMA integrity_check") == [("ok",)]
    train(storage, ("large.yml",))
    assert len(said(storage)) == 10_000
