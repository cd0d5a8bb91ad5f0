"""What is kept of visitors. The tables may be there, of Diego before there were steps; then what is missing is made."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, String, inspect, text

revision = "v1"
down_revision = None

_FOLLOWS = "the visitor has had another turn, or has not had the one before"
_SQLITE_RENEW = "INSERT OR REPLACE INTO lesson_version VALUES (1, random())"
_SQLITE = [
    f"""
    CREATE TRIGGER IF NOT EXISTS turn_follows BEFORE INSERT ON turn
    WHEN NEW.number != 1 + (SELECT coalesce(max(number), 0) FROM turn WHERE visitor = NEW.visitor)
    BEGIN SELECT RAISE(ABORT, '{_FOLLOWS}'); END
    """,  # noqa: S608 - our own sentence
    *(
        f"CREATE TRIGGER IF NOT EXISTS lesson_{action} AFTER {action} ON lesson BEGIN {_SQLITE_RENEW}; END"
        for action in ("INSERT", "UPDATE", "DELETE")
    ),
]
_POSTGRESQL = [
    "CREATE TABLE secret (key VARCHAR NOT NULL PRIMARY KEY)",
    f"""
    CREATE FUNCTION turn_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.number != 1 + (SELECT coalesce(max(number), 0) FROM turn WHERE visitor = NEW.visitor) THEN
            RAISE integrity_constraint_violation USING MESSAGE = '{_FOLLOWS}';
        END IF;
        RETURN NEW;
    END $$
    """,  # noqa: S608 - as above
    "CREATE TRIGGER turn_follows BEFORE INSERT ON turn FOR EACH ROW EXECUTE FUNCTION turn_follows()",
    """
    CREATE FUNCTION renew_lessons() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO lesson_version VALUES (1, ((random() - 0.5) * 18e18)::bigint)
        ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER renew_lessons AFTER INSERT OR UPDATE OR DELETE ON lesson
    FOR EACH STATEMENT EXECUTE FUNCTION renew_lessons()
    """,
]


def upgrade() -> None:
    """Make what is not there."""
    op.create_table(
        "visitor",
        Column("id", String(32), primary_key=True),
        Column("name", String, nullable=False),
        if_not_exists=True,
    )
    op.create_table("restored", Column("mark", String(32), primary_key=True), if_not_exists=True)
    op.create_table(
        "forgotten",
        Column("digest", String(64), primary_key=True),
        Column("wiped", Boolean, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "dismissed",
        Column("words_sha256", String(64), primary_key=True),
        Column("dismissed_at", Float, nullable=False),
        if_not_exists=True,
    )
    _make_turns()
    _make_lessons()
    op.create_table(
        "room",
        Column("number", Integer, primary_key=True),
        Column("visitor", String(32), nullable=False),
        Column("name", String, nullable=False),
        Column("message_id", String(64)),
        Column("text", String, nullable=False),
        Column("said_at", Float, nullable=False),
        Column("answers", Integer),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(text(statement))


def _make_turns() -> None:
    op.create_table(
        "turn",
        Column("visitor", String(32), primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("message_id", String(64)),
        Column("prompt", String, nullable=False),
        Column("reply", String, nullable=False),
        Column("confidence", Float, nullable=False),
        Column("why", String, nullable=False),
        Column("said_at", Float, nullable=False),
        Column("kind", String(8), nullable=False),
        if_not_exists=True,
    )
    if not any(column["name"] == "kind" for column in inspect(op.get_bind()).get_columns("turn")):
        op.execute("ALTER TABLE turn ADD COLUMN kind VARCHAR(8) NOT NULL DEFAULT ''")
    has_id, unsure = text("message_id IS NOT NULL"), text("confidence < 1")
    op.create_index(
        "turn_message_id",
        "turn",
        ["visitor", "message_id"],
        unique=True,
        sqlite_where=has_id,
        postgresql_where=has_id,
        if_not_exists=True,
    )
    op.create_index(
        "turn_newest_unsure",
        "turn",
        ["kind", "said_at", "visitor", "confidence"],
        sqlite_where=unsure,
        postgresql_where=unsure,
        if_not_exists=True,
    )


def _make_lessons() -> None:
    op.create_table(
        "lesson",
        Column("id", Integer, primary_key=True),
        Column("visitor", String(32), nullable=False),
        Column("prompt", String, nullable=False),
        Column("reply", String, nullable=False),
        Column("state", String(8), nullable=False),
        Column("taught_at", Float, nullable=False),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_index("lesson_visitor", "lesson", ["visitor"], if_not_exists=True)
    op.create_table(
        "lesson_origin",
        Column("lesson", Integer, primary_key=True, autoincrement=False),
        Column("visitor_sha256", String(64), primary_key=True),
        Column("taught_at", Float, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "lesson_version",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("version", BigInteger, nullable=False),
        if_not_exists=True,
    )
