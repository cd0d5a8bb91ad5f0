import shutil
import sqlite3
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from chatterbot import ChatBot
from chatterbot.ext.sqlalchemy_app.models import Base
from sqlalchemy import Connection, create_engine, inspect

from chatbot.bot.corpora import Source
from chatbot.bot.database import StorageError
from chatbot.bot.formats import Corpus, Line, Pair
from chatbot.bot.schema import _STEPS, Tables, _last_step
from chatbot.bot.storage import KnowledgeStorage
from chatbot.bot.words import WordTagger
from tests.databases import only_sqlite, url_in
from tests.processes import environment


def opened(path: Path) -> KnowledgeStorage:
    return KnowledgeStorage(database_uri=url_in(path.parent, path.name))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "diego.db"


def corpus(name: str, *texts: str, categories: tuple[str, ...] = ()) -> Corpus:
    """A corpus of one dialogue."""
    lines = [
        Line(text, reply_to, number)
        for number, (text, reply_to) in enumerate(zip(texts, (None, *texts), strict=False), 1)
    ]
    return Corpus(Source(name, Path(name), packaged=False), lines, list(categories))


def learn(storage: KnowledgeStorage, *corpora: Corpus, rank: int = 0) -> None:
    with storage.changing() as change:
        for corpus in corpora:
            change.learn(corpus, corpus.source.name, sha256=f"hash of {corpus.source.name}", rank=rank)


def forget(storage: KnowledgeStorage, name: str) -> None:
    with storage.changing() as change:
        change.forget(name)


def said(storage: KnowledgeStorage) -> list[tuple[str, str]]:
    return [(pair.prompt, pair.reply) for pair in storage.pairs()]


def whole(storage: KnowledgeStorage) -> list[str]:
    return [source.name for source in storage.sources() if source.whole]


def test_knowledge_is_pairs_with_what_came_before_and_where_they_stand(path: Path) -> None:
    with closing(opened(path)) as storage:
        learn(storage, corpus("a.yml", "Hi", "Hello", "How are you?"), corpus("b.yml", "How are you?", "Fine"))
        assert list(storage.pairs()) == [
            Pair("Hi", "Hello", None, "a.yml", 2, 0),
            Pair("Hello", "How are you?", "Hi", "a.yml", 3, 0),
            Pair("How are you?", "Fine", None, "b.yml", 2, 0),
        ]


def test_pairs_come_in_order_of_rank_and_then_of_age(path: Path) -> None:
    with closing(opened(path)) as storage:
        learn(storage, corpus("c.yml", "c", "C"), rank=2)
        learn(storage, corpus("b.yml", "b", "B"), rank=1)
        learn(storage, corpus("a.yml", "a", "A"))
        storage.create(text="X", in_response_to="x", search_text="x", search_in_response_to="x")
        assert [(pair.reply, pair.rank) for pair in storage.pairs()] == [("A", 0), ("X", 0), ("B", 1), ("C", 2)]
        with storage.changing() as change:
            change.rank("c.yml", 0)
        assert [pair.reply for pair in storage.pairs()] == ["C", "A", "X", "B"]


def test_what_came_before_is_of_the_same_dialogue(path: Path) -> None:
    with closing(opened(path)) as storage:
        learn(storage, corpus("a.yml", "Hi", "Hello", "Bye"))
        storage.create(text="Ahoy", in_response_to="Bye", search_text="ahoy", search_in_response_to="bye")
        storage.create(text="See you", in_response_to="Ciao", search_text="ahoy", search_in_response_to="bye")
        assert [pair.before for pair in storage.pairs()] == [None, "Hi", None, None]
        assert list(storage.pairs())[-1] == Pair("Ciao", "See you", None, "", 0, 0)


def test_pairs_are_streamed(path: Path) -> None:
    with closing(opened(path)) as storage:
        learn(
            storage,
            corpus("a.yml", *(f"a line that is not short, with the number {number}" for number in range(30_000))),
        )
        tracemalloc.start()
        assert sum(1 for _ in storage.pairs()) == 29_999
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 500_000


def test_sources_are_known_with_all_there_is_to_say_of_them(path: Path) -> None:
    before = datetime.now(UTC)
    with closing(opened(path)) as storage:
        learn(storage, corpus("b.yml", "Sun", "Moon", "Star"), rank=1)
        learn(storage, corpus("a.yml", "Hi", "Hello"))
        one, other = storage.sources()
    assert (one.name, one.place, one.sha256) == ("a.yml", str(Path("a.yml").resolve()), "hash of a.yml")
    assert (one.statements, one.rank, one.whole) == (2, 0, True)
    assert (other.name, other.statements, other.rank, other.whole) == ("b.yml", 3, 1, True)
    assert before <= one.trained_at <= datetime.now(UTC)


@only_sqlite
def test_a_source_is_forgotten_with_its_tags_and_origins(path: Path) -> None:
    with closing(opened(path)) as storage:
        learn(storage, corpus("a.yml", "Hi", "Hello", categories=("greetings", "short")))
        learn(storage, corpus("b.yml", "Sun", "Moon", categories=("sky", "short")))
        forget(storage, "a.yml")
        assert said(storage) == [("Sun", "Moon")]
        assert whole(storage) == ["b.yml"]
        assert [sorted(statement.tags) for statement in storage.filter()] == [["short", "sky"]] * 2
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM origin").fetchone() == (2,)
        assert database.execute("SELECT count(*) FROM tag_association").fetchone() == (4,)


def test_a_failure_in_the_middle_leaves_the_old_knowledge(path: Path) -> None:
    def lines() -> Iterator[Line]:
        yield from (Line(str(number), None, number) for number in range(2500))
        raise KeyboardInterrupt

    def interrupted(storage: KnowledgeStorage) -> None:
        with storage.changing() as change:
            change.forget("a.yml")
            source = Source("b.yml", Path("b.yml"), packaged=False)
            change.learn(Corpus(source, lines()), "b.yml", sha256="", rank=0)

    with closing(opened(path)) as storage:
        learn(storage, corpus("a.yml", "Hi", "Hello"))
        version = storage.version()
        with pytest.raises(KeyboardInterrupt):
            interrupted(storage)
        assert said(storage) == [("Hi", "Hello")]
        assert whole(storage) == ["a.yml"]
        assert storage.version() == version


def test_every_change_makes_another_version_and_nothing_else_does(path: Path) -> None:
    with closing(opened(path)) as storage:
        versions = [storage.version()]
        learn(storage, corpus("a.yml", "Hi", "Hello"))
        versions.append(storage.version())
        with storage.changing() as change:
            change.rank("a.yml", 1)
        versions.append(storage.version())
        storage.create(text="Ahoy", in_response_to="Hey", search_text="ahoy", search_in_response_to="hey")
        versions.append(storage.version())
        storage.remove("Ahoy")
        versions.append(storage.version())
        forget(storage, "a.yml")
        versions.append(storage.version())
        assert len({*versions}) == len(versions)
        list(storage.pairs())
        storage.sources()
    with closing(opened(path)) as storage:
        assert storage.version() == versions[-1]


def test_another_database_has_another_version(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "one.db")) as one, closing(opened(tmp_path / "other.db")) as other:
        assert one.version() != other.version()


@only_sqlite
def test_what_a_backup_becomes_has_another_version_each_time(path: Path) -> None:
    opened(path).close()
    backup = path.read_bytes()
    versions = []
    for reply in ("At WRONG o'clock.", "At nine."):
        path.write_bytes(backup)
        with closing(opened(path)) as storage:
            learn(storage, corpus("hours.csv", "When are you open?", reply))
            versions.append(storage.version())
    assert versions[0] != versions[1]


FIRST_TABLES = """
CREATE TABLE source (
    name VARCHAR NOT NULL, sha256 VARCHAR(64) NOT NULL, statements INTEGER NOT NULL, PRIMARY KEY (name)
);
CREATE TABLE origin (
    statement_id INTEGER NOT NULL, source VARCHAR NOT NULL, line INTEGER NOT NULL, PRIMARY KEY (statement_id)
);
CREATE TRIGGER forget_origin AFTER DELETE ON statement BEGIN DELETE FROM origin WHERE statement_id = OLD.id; END;
INSERT INTO statement (id, text, in_response_to, created_at) VALUES (1, 'Hi', NULL, '2025-06-01 10:00:00.000000');
INSERT INTO statement (id, text, in_response_to, created_at) VALUES (2, 'Hello', 'Hi', '2025-06-01 10:00:00.000000');
INSERT INTO origin VALUES (1, 'a.yml', 3), (2, 'a.yml', 4);
INSERT INTO source VALUES ('a.yml', 'hash of a.yml', 2), ('chatterbot.corpus.english.ai', 'its hash', 7);
"""


@only_sqlite
def test_a_database_of_the_first_version_goes_on(path: Path) -> None:
    Base.metadata.create_all(create_engine(f"sqlite:///{path}"))
    with closing(sqlite3.connect(path)) as database:
        database.executescript(FIRST_TABLES)
    for _ in range(2):
        with closing(opened(path)) as storage:
            first, second = storage.sources()
            made = datetime(2025, 6, 1, 10, tzinfo=UTC)
            assert first == ("a.yml", str(Path("a.yml").resolve()), "hash of a.yml", 2, 1, made, True)
            assert (second.name, second.place, second.whole) == (second.name, "chatterbot.corpus.english.ai", False)
            assert list(storage.pairs()) == [Pair("Hi", "Hello", None, "a.yml", 4, 1)]
    with closing(opened(path)) as storage:
        version = storage.version()
        forget(storage, "a.yml")
        assert said(storage) == []
        assert storage.version() != version
        assert "origin_source" in {index["name"] for index in inspect(storage.engine).get_indexes("origin")}


FAILING_STEP = """
from alembic import op

revision, down_revision = "k2", "k1"


def upgrade():
    op.execute("CREATE TRIGGER that is none")
"""


@only_sqlite
def test_a_first_start_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Path(shutil.copytree(_STEPS, path.parent / "steps"))
    (steps / "knowledge" / "k2_fails.py").write_text(FAILING_STEP)
    monkeypatch.setattr("chatbot.bot.schema._STEPS", steps)
    assert "cannot be used: near " in refusal(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == []


@only_sqlite
def test_many_may_make_a_database_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    all_have_looked = Barrier(8)

    def last_step(connection: Connection, tables: Tables) -> str | None:
        step = _last_step(connection, tables)
        all_have_looked.wait(30)
        return step

    monkeypatch.setattr("chatbot.bot.schema._last_step", last_step)
    with ThreadPoolExecutor(8) as pool:
        for storage in pool.map(opened, [path] * 8):
            storage.close()


@only_sqlite
def test_he_starts_while_another_program_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.sqlite.LOCK_SECONDS", 0.01)
    opened(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        opened(path).close()


COUNTING = """
DROP TRIGGER count_INSERT_statement;
CREATE TRIGGER count_INSERT_statement AFTER INSERT ON statement
    BEGIN UPDATE knowledge SET version = version + 1; END;
"""
_TRIGGERS = [
    "forget_origin",
    *(f"count_{action}_{table}" for action in ("INSERT", "UPDATE", "DELETE") for table in ("statement", "source")),
]
LACKING = [
    "".join(f"DROP TRIGGER {name};" for name in _TRIGGERS),
    *(f"DROP TRIGGER {name}" for name in _TRIGGERS),
    "DROP INDEX origin_source; DROP TRIGGER forget_origin; DROP TABLE knowledge",
    COUNTING,
]


@pytest.mark.parametrize("lacking", LACKING)
@only_sqlite
def test_what_an_earlier_version_left_undone_is_made(path: Path, lacking: str) -> None:
    with closing(opened(path)) as storage:
        learn(storage, corpus("a.yml", "Hi", "Hello"))
        version = storage.version()
    with closing(sqlite3.connect(path)) as database:
        made = schema(database)
        database.executescript(f"DROP TABLE knowledge_schema; {lacking}")
        assert schema(database) != made
    with closing(opened(path)) as storage:
        assert said(storage) == [("Hi", "Hello")]
        assert storage.version() != version
    with closing(sqlite3.connect(path)) as database:
        assert schema(database) == made


def schema(database: sqlite3.Connection) -> set[tuple[str, str]]:
    return {*database.execute("SELECT name, sql FROM sqlite_master")}


@only_sqlite
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
        learn(storage, corpus("a.yml", "Hi", "Hello"))
        learn(storage, corpus("b.yml", "Sun", "Moon"))
        forget(storage, "a.yml")
        assert said(storage) == [("Hey", "Ahoy"), ("Sun", "Moon")]


def test_a_row_of_others_with_the_number_of_a_deleted_one_is_kept(path: Path) -> None:
    with closing(opened(path)) as storage:
        learn(storage, corpus("a.yml", "Hi", "Hello"))
        storage.remove("Hello")
        storage.create(text="Ahoy", in_response_to="Hey", search_text="ahoy", search_in_response_to="hey")
        learn(storage, corpus("b.yml", "Sun", "Moon"))
        forget(storage, "a.yml")
        assert said(storage) == [("Hey", "Ahoy"), ("Sun", "Moon")]


def test_a_source_of_which_statements_were_deleted_is_not_trained(path: Path) -> None:
    with closing(opened(path)) as storage:
        learn(storage, corpus("a.yml", "Hi", "Hello"), corpus("b.yml", "Sun", "Moon"))
        storage.remove("Hello")
        assert whole(storage) == ["b.yml"]
        storage.drop()
        assert whole(storage) == []


@only_sqlite
def test_a_chatterbot_can_use_the_database(path: Path) -> None:
    with closing(opened(path)) as storage:
        learn(storage, corpus("a.yml", "What is AI?", "A field of science.", categories=("AI",)))
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
print(*(pragma(storage.engine, name) for name in ("journal_mode", "synchronous", "secure_delete")))
print(pragma(create_engine("sqlite:///other.db"), "journal_mode"))
"""


@only_sqlite
def test_its_database_keeps_what_is_committed_and_wipes_what_is_deleted_and_no_other_of_the_process_does(
    tmp_path: Path,
) -> None:
    """In a process of its own: a stock ChatterBot, as elsewhere in these tests, changes every engine."""
    command = [sys.executable, "-c", PRAGMAS]
    printed = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, check=True, text=True
    ).stdout
    assert printed.splitlines() == ["wal 2 1", "delete"]


def refusal(path: Path) -> str:
    with pytest.raises(StorageError) as refused:
        opened(path)
    return str(refused.value)


@only_sqlite
def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database, but long enough to look like one" * 100)
    assert refusal(path) == (
        f"The database {path} is damaged or is no SQLite database: file is not a database. If there is a backup, "
        "take it back with python -m chatbot restore FILE. Otherwise move the file away and start again, Diego then "
        "makes a new one; or name another file with DIEGO_DATABASE_URL."
    )


@only_sqlite
def test_a_damaged_database_is_refused(path: Path) -> None:
    with closing(opened(path)) as storage:
        learn(storage, corpus("a.yml", *map(str, range(2000))))
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 4096 * 20)
    assert refusal(path).startswith(f"The database {path} is damaged or is no SQLite database:")


@pytest.mark.parametrize("name", [".", "nowhere/diego.db"])
@only_sqlite
def test_a_file_out_of_reach_is_refused(tmp_path: Path, name: str) -> None:
    sentence = refusal(tmp_path / name)
    assert "cannot be used: unable to open database file. See that its folder exists" in sentence


@only_sqlite
def test_a_database_of_another_program_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE statement (id INTEGER PRIMARY KEY, amount INTEGER)")
    with (
        closing(opened(path)) as storage,
        pytest.raises(StorageError, match="has tables of another program or version: no such column"),
    ):
        list(storage.pairs())


@only_sqlite
def test_a_locked_database_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.sqlite.LOCK_SECONDS", 0.01)
    with closing(opened(path)) as storage, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="is locked by another program. Stop that program, then start again"):
            learn(storage, corpus("a.yml", "Hi", "Hello"))
