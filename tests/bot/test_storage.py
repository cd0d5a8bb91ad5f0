import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from chatterbot import ChatBot

from chatbot.bot.corpora import Corpus, Line, Source
from chatbot.bot.storage import KnowledgeStorage, StorageError
from chatbot.bot.words import WordTagger
from tests.processes import environment


def opened(path: Path) -> KnowledgeStorage:
    return KnowledgeStorage(database_uri=f"sqlite:///{path}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "diego.db"


def corpus(name: str, *texts: str, categories: tuple[str, ...] = ()) -> Corpus:
    """A corpus of one dialogue."""
    lines = [
        Line(text, reply_to, number)
        for number, (text, reply_to) in enumerate(zip(texts, (None, *texts), strict=False), 1)
    ]
    return Corpus(Source(name, Path(name), packaged=False), categories, tuple(lines))


def replace(storage: KnowledgeStorage, *corpora: Corpus) -> None:
    storage.replace_knowledge([(corpus, f"hash of {corpus.source.name}") for corpus in corpora], lambda _: None)


def test_knowledge_is_pairs_and_where_they_came_from(path: Path) -> None:
    with closing(opened(path)) as storage:
        replace(storage, corpus("a.yml", "Hi", "Hello", "How are you?"), corpus("b.yml", "Sun", "Moon"))
        assert storage.pairs() == [("Hi", "Hello"), ("Hello", "How are you?"), ("Sun", "Moon")]
        assert storage.trained_sources() == {"a.yml": "hash of a.yml", "b.yml": "hash of b.yml"}
    with closing(sqlite3.connect(path)) as database:
        origins = database.execute("SELECT text, source, line FROM statement JOIN origin ON id = statement_id")
        assert origins.fetchall()[2:4] == [("How are you?", "a.yml", 3), ("Sun", "b.yml", 1)]


def test_new_knowledge_takes_the_place_of_the_old(path: Path) -> None:
    with closing(opened(path)) as storage:
        replace(storage, corpus("a.yml", "Hi", "Hello", categories=("greetings", "short")))
        replace(storage, corpus("b.yml", "Sun", "Moon", categories=("sky", "short")))
        assert storage.pairs() == [("Sun", "Moon")]
        assert storage.trained_sources() == {"b.yml": "hash of b.yml"}
        assert [sorted(statement.tags) for statement in storage.filter()] == [["short", "sky"]] * 2


def test_batches_are_reported_as_they_are_written(path: Path) -> None:
    reported: list[int] = []
    with closing(opened(path)) as storage:
        storage.replace_knowledge([(corpus("a.yml", *map(str, range(2500))), "")], reported.append)
    assert reported == [1000, 1000, 500]


def test_a_failure_in_the_middle_leaves_the_old_knowledge(path: Path) -> None:
    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with closing(opened(path)) as storage:
        replace(storage, corpus("a.yml", "Hi", "Hello"))
        with pytest.raises(KeyboardInterrupt):
            storage.replace_knowledge([(corpus("b.yml", "Sun", "Moon"), "")], fail)
        assert storage.pairs() == [("Hi", "Hello")]
        assert storage.trained_sources() == {"a.yml": "hash of a.yml"}


def test_what_a_chatterbot_learned_before_is_kept_and_counts(path: Path) -> None:
    stock = ChatBot("Stock", database_uri=f"sqlite:///{path}", tagger=WordTagger)
    stock.storage.create(
        text="Ahoy", in_response_to="Hey", search_text="ahoy", search_in_response_to="hey", conversation="old"
    )
    stock.storage.create(
        text="Said by a bot", in_response_to="Hey", search_text="x", search_in_response_to="hey", persona="bot:Stock"
    )
    stock.storage.close()
    with closing(opened(path)) as storage:
        replace(storage, corpus("a.yml", "Hi", "Hello"))
        replace(storage, corpus("b.yml", "Sun", "Moon"))
        assert storage.pairs() == [("Hey", "Ahoy"), ("Sun", "Moon")]


def test_a_row_of_others_with_the_number_of_a_deleted_one_is_kept(path: Path) -> None:
    with closing(opened(path)) as storage:
        replace(storage, corpus("a.yml", "Hi", "Hello"))
        storage.remove("Hello")
        storage.create(text="Ahoy", in_response_to="Hey", search_text="ahoy", search_in_response_to="hey")
        replace(storage, corpus("b.yml", "Sun", "Moon"))
        assert storage.pairs() == [("Hey", "Ahoy"), ("Sun", "Moon")]


def test_a_source_of_which_statements_were_deleted_is_not_trained(path: Path) -> None:
    with closing(opened(path)) as storage:
        replace(storage, corpus("a.yml", "Hi", "Hello"), corpus("b.yml", "Sun", "Moon"))
        storage.remove("Hello")
        assert storage.trained_sources() == {"b.yml": "hash of b.yml"}
        storage.drop()
        assert storage.trained_sources() == {}


def test_a_chatterbot_can_use_the_database(path: Path) -> None:
    with closing(opened(path)) as storage:
        replace(storage, corpus("a.yml", "What is AI?", "A field of science.", categories=("AI",)))
    stock = ChatBot("Stock", database_uri=f"sqlite:///{path}", tagger=WordTagger, read_only=True)
    assert str(stock.get_response("what is ai")) == "A field of science."
    stock.storage.close()


PRAGMAS = """
from sqlalchemy import create_engine, text
from chatbot.bot.storage import KnowledgeStorage

def pragma(engine, name):
    with engine.connect() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar()

storage = KnowledgeStorage(database_uri="sqlite:///diego.db")
print(pragma(storage.engine, "journal_mode"), pragma(storage.engine, "synchronous"))
print(pragma(create_engine("sqlite:///other.db"), "journal_mode"))
"""


def test_its_database_is_in_wal_mode_and_no_other_of_the_process(tmp_path: Path) -> None:
    """In a process of its own: a stock ChatterBot, as elsewhere in these tests, changes every engine."""
    command = [sys.executable, "-c", PRAGMAS]
    printed = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, check=True, text=True
    ).stdout
    assert printed.splitlines() == ["wal 1", "delete"]


def refusal(path: Path) -> str:
    with pytest.raises(StorageError) as refused:
        opened(path)
    return str(refused.value)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database, but long enough to look like one" * 100)
    assert refusal(path) == (
        f"The database {path} is damaged or is no SQLite database: file is not a database. Move it away and start "
        "again, Diego then makes a new one; or name another file with DIEGO_DATABASE_URL."
    )


def test_a_damaged_database_is_refused(path: Path) -> None:
    with closing(opened(path)) as storage:
        replace(storage, corpus("a.yml", *map(str, range(2000))))
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 4096 * 20)
    assert refusal(path).startswith(f"The database {path} is damaged or is no SQLite database:")


@pytest.mark.parametrize("name", [".", "nowhere/diego.db"])
def test_a_file_out_of_reach_is_refused(tmp_path: Path, name: str) -> None:
    sentence = refusal(tmp_path / name)
    assert "cannot be used: unable to open database file. See that its folder exists" in sentence


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE statement (id INTEGER PRIMARY KEY, amount INTEGER)")
    with (
        closing(opened(path)) as storage,
        pytest.raises(StorageError, match="has tables of another program or version: no such column"),
    ):
        storage.pairs()


def test_a_locked_database_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.storage._LOCK_SECONDS", 0.01)
    with closing(opened(path)) as storage, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="is locked by another program. Stop that program, then start again"):
            replace(storage, corpus("a.yml", "Hi", "Hello"))
