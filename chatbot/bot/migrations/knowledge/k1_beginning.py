"""What Diego was trained on: ChatterBot's tables, and beside them where each statement came from.

They may be there, of ChatterBot or of Diego before there were steps; then what is missing is made.
"""

import secrets

from alembic import op
from chatterbot.ext.sqlalchemy_app.models import Base
from sqlalchemy import BigInteger, Column, Connection, DateTime, Integer, String, inspect, text

from chatbot.bot.corpora import place

revision = "k1"
down_revision = None

_TEXTS = ("text", "search_text", "in_response_to", "search_in_response_to")

# At random: a number that is counted up says the same of two histories that begin with one backup.
_SQLITE_RENEW = "UPDATE knowledge SET version = random()"

_POSTGRESQL = [
    # ChatterBot's columns have a length that SQLite does not look at: a key can be longer than its text.
    *(f"ALTER TABLE statement ALTER COLUMN {column} TYPE text" for column in _TEXTS),
    """
    CREATE FUNCTION forget_origin() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM origin USING gone WHERE origin.statement_id = gone.id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER forget_origin AFTER DELETE ON statement REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_origin()
    """,
    """
    CREATE FUNCTION renew_knowledge() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE knowledge SET version = ((random() - 0.5) * 18e18)::bigint;
        RETURN NULL;
    END $$
    """,
    *(
        f"CREATE TRIGGER count_{table} AFTER INSERT OR UPDATE OR DELETE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION renew_knowledge()"
        for table in ("statement", "source")
    ),
]
_SQLITE = {
    # Whoever deletes a statement: its number may be given to another, which is not ours.
    "forget_origin": "CREATE TRIGGER forget_origin AFTER DELETE ON statement "
    "BEGIN DELETE FROM origin WHERE statement_id = OLD.id; END",
    **{
        f"count_{action}_{table}": f"CREATE TRIGGER count_{action}_{table} AFTER {action} ON {table} "
        f"BEGIN {_SQLITE_RENEW}; END"
        for table in ("statement", "source")
        for action in ("INSERT", "UPDATE", "DELETE")
    },
}


def upgrade() -> None:
    """Make what is not there."""
    connection = op.get_bind()
    Base.metadata.create_all(connection)
    op.create_table(
        "source",
        Column("name", String, primary_key=True),
        Column("sha256", String(64), nullable=False),
        Column("statements", Integer, nullable=False),
        Column("place", String, nullable=False),
        Column("rank", Integer, nullable=False),
        Column("trained_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "origin",
        Column("statement_id", Integer, primary_key=True, autoincrement=False),
        Column("source", String, nullable=False),
        Column("line", Integer, nullable=False),
        if_not_exists=True,
    )
    op.create_index("origin_source", "origin", ["source"], if_not_exists=True)
    op.create_table("knowledge", Column("version", BigInteger, nullable=False), if_not_exists=True)
    _add_columns(connection)
    if connection.dialect.name == "sqlite":
        for name, trigger in _SQLITE.items():
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
            op.execute(trigger)
    else:
        for statement in _POSTGRESQL:
            op.execute(text(statement))
    # Another version than before: what changed while a trigger was missing has not been noticed.
    op.execute("DELETE FROM knowledge")
    connection.execute(text("INSERT INTO knowledge (version) VALUES (:version)"), {"version": secrets.randbits(63)})


def _add_columns(connection: Connection) -> None:
    """For a database of a version that knew no more of a source than its name, hash and statements."""
    if any(column["name"] == "rank" for column in inspect(connection).get_columns("source")):
        return
    for column in ("place VARCHAR NOT NULL DEFAULT ''", "rank INTEGER NOT NULL DEFAULT 1", "trained_at DATETIME"):
        op.execute(f"ALTER TABLE source ADD COLUMN {column}")
    op.execute(
        "UPDATE source SET trained_at = coalesce((SELECT max(statement.created_at) FROM statement "
        "JOIN origin ON origin.statement_id = statement.id WHERE origin.source = source.name), CURRENT_TIMESTAMP)"
    )
    for name in connection.scalars(text("SELECT name FROM source")).all():
        connection.execute(
            text("UPDATE source SET place = :place WHERE name = :name"), {"place": place(name), "name": name}
        )
