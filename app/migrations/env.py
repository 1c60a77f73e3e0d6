"""Alembic's entry: one connection, one transaction per revision, no model metadata (migrations are written by hand)."""

from alembic import context
from migrations.online import describe_failure, run_backfill
from sqlalchemy import create_engine, pool, text
from sqlalchemy.exc import DBAPIError

from orders.settings import load_settings
from orders.tokens import log_in_by_tokens

# From PostgreSQL 14: what a killed Job has begun ends with it, instead of holding its locks until it is done.
NOTICE_DEATH = """
SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'
"""


def run() -> None:
    """Run the wanted revisions, each in a transaction of its own so that a failure keeps what came before it.

    With `-x backfill=<revision>` the batches of that one run instead, beside migrations of later releases.
    """
    filling = context.get_x_argument(as_dictionary=True).get("backfill")
    settings = load_settings()
    engine = create_engine(settings.database_url, poolclass=pool.NullPool, connect_args={"connect_timeout": 5})
    if tokens := settings.database_tokens:
        log_in_by_tokens(engine, tokens)
    with engine.connect() as connection:
        try:
            connection.execute(text(NOTICE_DEATH))
            # A second Job waits for it until its lock_timeout, and is tried again: nothing is migrated twice at the same time.
            name = f"backfill {filling}" if filling else "alembic"
            connection.execute(text("SELECT pg_advisory_lock(hashtext(:name))"), {"name": name})
            connection.commit()
            context.configure(connection=connection, transaction_per_migration=True)
            if filling:
                run_backfill(context.get_context(), filling)
                return
            with context.begin_transaction():
                context.run_migrations()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise  # nobody is left to be asked
            connection.rollback()
            raise SystemExit(describe_failure(connection, error)) from error


run()
