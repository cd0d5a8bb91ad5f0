import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from chatterbot.ext.sqlalchemy_app.models import Base
from sqlalchemy import Connection, MetaData

from chatbot.bot import diary, forgotten, lessons, questions, room, storage, turns
from chatbot.bot.database import StorageError, open_database
from chatbot.bot.diary import Diary
from chatbot.bot.schema import NEWEST, Tables, _steps
from chatbot.bot.storage import KnowledgeStorage
from tests.databases import ON_POSTGRESQL, execute, url_in
from tests.nginx import ROOT
from tests.processes import environment

TABLES: dict[Tables, list[MetaData]] = {
    "knowledge": [Base.metadata, storage._metadata],  # noqa: SLF001 - what the code uses
    "visitors": [one.metadata for one in (diary, turns, lessons, room, questions, forgotten)],
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_in(tmp_path)


@pytest.fixture(params=get_args(Tables))
def made(request: pytest.FixtureRequest, url: str) -> tuple[Tables, str]:
    opened = KnowledgeStorage(database_uri=url) if request.param == "knowledge" else Diary(url)
    opened.close()
    return request.param, url


@pytest.mark.parametrize("tables", get_args(Tables))
def test_the_newest_step_is_the_last(tables: Tables) -> None:
    config = Config()
    _steps(config, tables)
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST[tables]]


def difference(connection: Connection, metadata: MetaData) -> list[Any]:
    options = {
        "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables,
        "compare_type": not ON_POSTGRESQL,  # where ChatterBot's texts have no length
    }
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return found


def test_the_steps_make_the_tables_that_are_used(made: tuple[Tables, str]) -> None:
    tables, url = made
    engine = open_database(url)
    with engine.connect() as connection:
        differences = [found for metadata in TABLES[tables] for found in difference(connection, metadata)]
    engine.dispose()
    assert differences == []


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(made: tuple[Tables, str]) -> None:
    tables, url = made
    execute(url, f"UPDATE {tables}_schema SET version_num = 'x99'")
    with pytest.raises(StorageError, match="was used by a newer version of Diego.*Take that version, or name another"):
        KnowledgeStorage(database_uri=url) if tables == "knowledge" else Diary(url)
    assert execute(url, f"SELECT version_num FROM {tables}_schema") == [("x99",)]


LOOKING = """
import sys
from contextlib import closing
from chatbot.bot.diary import Diary
from chatbot.bot.storage import KnowledgeStorage

with closing(KnowledgeStorage(database_uri=sys.argv[1])), closing(Diary(sys.argv[1])):
    assert "alembic" not in sys.modules
"""


def test_where_there_is_nothing_to_do_it_takes_no_time(url: str) -> None:
    with closing(KnowledgeStorage(database_uri=url)), closing(Diary(url)):
        pass
    subprocess.run([sys.executable, "-c", LOOKING, url], env=environment(), cwd=ROOT, check=True)
