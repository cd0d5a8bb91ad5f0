"""What Alembic runs to do the steps: on the connection that it is given, in the transaction that is under way there."""

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], version_table=attributes["version_table"])
context.run_migrations()
