"""The tables of a database, brought to what this version needs, step by step (`chatbot/bot/migrations`)."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, Engine, inspect, text

from chatbot.bot.database import StorageError, alone, database_name

if TYPE_CHECKING:
    from alembic.config import Config

Tables = Literal["knowledge", "visitors"]

NEWEST: dict[Tables, str] = {"knowledge": "k1", "visitors": "v1"}
"""The last step for each. To look it up among the steps takes a tenth of a second, at every start."""

_STEPS = Path(__file__).parent / "migrations"


def bring_up_to_date(engine: Engine, tables: Tables) -> None:
    """Do the steps that a database lacks, in one transaction. Raises StorageError if a newer version has used it.

    That there are none is found out without a lock: Diego can start while another program trains him.
    """
    try:
        with engine.connect() as connection:
            done = _last_step(connection, tables)
        if done != NEWEST[tables]:
            with engine.begin() as connection:
                alone(connection)
                _do_steps(connection, tables)
    except BaseException:
        engine.dispose()  # whoever opened it cannot go on
        raise


def _last_step(connection: Connection, tables: Tables) -> str | None:
    table = f"{tables}_schema"
    if not inspect(connection).has_table(table):
        return None
    step: str | None = connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608 - our own table
    return step


def _steps(config: "Config", tables: Tables) -> None:
    """Say where the steps are."""
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(_STEPS / tables).replace("%", "%%"))


def _do_steps(connection: Connection, tables: Tables) -> None:
    # Imported only here, as there is something to do at one start of many.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config(attributes={"connection": connection, "version_table": f"{tables}_schema"})
    _steps(config, tables)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        name = database_name(connection.engine.url.render_as_string())
        raise StorageError(
            f"The database {name} was used by a newer version of Diego: {error}. Take that version, or name another "
            "database with DIEGO_DATABASE_URL."
        ) from error
