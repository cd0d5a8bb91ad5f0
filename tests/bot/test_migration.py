import random
from contextlib import closing
from pathlib import Path

import pytest

from chatbot import SetupError
from chatbot.bot import migration
from chatbot.bot.diary import Diary
from chatbot.bot.migration import migrate
from chatbot.bot.room import Said
from chatbot.bot.storage import KnowledgeStorage
from chatbot.bot.training import learn
from chatbot.settings import Settings, load_settings
from chatbot.web.cookies import load_key
from tests.databases import execute
from tests.diaries import say
from tests.postgresql import PostgreSQL, needs_postgresql

pytestmark = needs_postgresql

VISITORS = [f"{number:032x}" for number in range(7, 60, 7)]


@pytest.fixture
def source(tmp_path: Path) -> Settings:
    """A file with something in every table."""
    settings = load_settings(database_url=f"sqlite:///{tmp_path / 'diego.db'}")
    corpus = tmp_path / "small.yml"
    corpus.write_text("conversations:\n- [Hello, Hello to you.]\n- [¿Qué tal?, Bien.]\n")
    with closing(KnowledgeStorage(database_uri=settings.database_url)) as storage:
        learn(storage, (str(corpus),))
    with closing(Diary(settings.visitors_url)) as diary:
        for visitor in VISITORS:
            say(diary, visitor, *map(str, range(random.randint(1, 30))))
            diary.call(visitor, f"Ana {visitor[-2:]}")
            diary.lessons.teach(visitor, "ping", "pong")
            diary.room.keep([Said(0, visitor, "Ana", None, "Hi", 1.5)])
        diary.forget(VISITORS.pop())
    load_key(settings.key_file)
    return settings


@pytest.fixture
def target(database: PostgreSQL, request: pytest.FixtureRequest) -> Settings:
    return load_settings(database_url=database.make(f"moved_{abs(hash(request.node.name))}"))


def test_all_is_moved(source: Settings, target: Settings) -> None:
    moved = migrate(source, target, lambda _: None)
    assert all(one.rows == one.there for one in moved)
    names = {one.table for one in moved}
    assert {"statement", "origin", "source", "turn", "visitor", "lesson", "room", "forgotten"} <= names
    for table in ("statement", "origin", "source"):
        here, there = (execute(settings.database_url, f"SELECT * FROM {table}") for settings in (source, target))
        assert len(here) == len(there) > 0
    with closing(Diary(target.visitors_url)) as diary, closing(Diary(source.visitors_url)) as before:
        for visitor in VISITORS:
            assert diary.export(visitor) == before.export(visitor)
            assert diary.turns.before(visitor, 10**9, 100) == before.turns.before(visitor, 10**9, 100)
        assert diary.secret_key() == load_key(source.key_file)
        # No number is given again.
        (kept,) = diary.room.keep([Said(0, VISITORS[0], "Ana", None, "Hi", 1.5)])
        assert kept is not None
        assert kept.number > len(VISITORS) + 1


def test_what_was_interrupted_goes_on(source: Settings, target: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "AT_ONCE", 3)

    class Interrupted(Exception):
        pass

    copied = 0
    for stop_after in (4, 10, 40):

        def note(rows: int, stop_after: int = stop_after) -> None:
            nonlocal copied
            copied += rows
            if copied > stop_after:
                raise Interrupted

        with pytest.raises(Interrupted):
            migrate(source, target, note)
    moved = migrate(source, target, lambda _: None)
    assert all(one.rows == one.there for one in moved)
    again: list[int] = []
    assert migrate(source, target, again.append) == moved
    assert again == []


def test_it_does_not_go_where_something_else_is(source: Settings, target: Settings) -> None:
    with closing(Diary(target.visitors_url)) as diary:
        for number in range(100):
            diary.call(f"{number:032x}", "Somebody")
    with pytest.raises(SetupError, match="has more in its table visitor than is to be moved there"):
        migrate(source, target, lambda _: None)


def test_there_is_nothing_to_move(tmp_path: Path, target: Settings) -> None:
    source = load_settings(database_url=f"sqlite:///{tmp_path / 'nowhere.db'}")
    with pytest.raises(SetupError, match=r"^There is no file .*nowhere\.db, so there is nothing to move\.$"):
        migrate(source, target, lambda _: None)
    assert [*tmp_path.iterdir()] == []
