"""Operations on tables in use: indexes that block no writes, and backfills in batches. Other services may copy this file."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import insert

REPORT_SECONDS = 5
PROGRESS = sa.Table(
    "backfill_progress",
    sa.MetaData(),
    sa.Column("revision", sa.Text, primary_key=True),
    sa.Column("done", sa.BigInteger, nullable=False),
)
"""The last key whose batch was committed, by migration."""
LOCK_NOT_AVAILABLE = "55P03"
HOLDERS = """
SELECT DISTINCT concat_ws(' ', coalesce(c.relname, l.locktype), 'by', coalesce(nullif(application_name, ''), usename),
    'pid', pid, state, 'for', extract(epoch FROM clock_timestamp() - coalesce(xact_start, state_change))::int, 's:', left(query, 80))
FROM pg_locks l JOIN pg_stat_activity a USING (pid) LEFT JOIN pg_class c ON c.oid = l.relation
WHERE granted AND pid <> pg_backend_pid() AND datname = current_database()
    AND (strpos(:statement, c.relname) > 0 OR strpos(:statement, l.locktype) > 0) LIMIT 5
"""
"""Who has locks on what a statement names."""


@contextmanager
def concurrently() -> Iterator[None]:
    """Outside the transaction and without lock_timeout, which would leave an INVALID index behind."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        yield
        op.execute("RESET lock_timeout")


def create_index(name: str, table: str, columns: Sequence[str], **options: Any) -> None:
    """Create an index while its table is written to. What a failed attempt has left is dropped first."""
    with concurrently():
        op.drop_index(name, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, list(columns), postgresql_concurrently=True, **options)


def backfill(revision: str, statement: str, table: str, *, key: str = "id", rows: int = 5000) -> None:
    """Run `statement` for `rows` rows of `table` at a time, each batch in a transaction of its own.

    `statement` limits itself by `:after` and `:upto`, values of the integer column `key`:
    UPDATE orders SET currency = 'EUR' WHERE currency IS NULL AND id > :after AND id <= :upto
    What was interrupted goes on after the last finished batch, which the table backfill_progress keeps. `revision` is the migration's own.
    """
    context = op.get_context()
    with context.autocommit_block():
        if context.as_sql:  # what the lint reads
            op.execute(sa.text(statement).bindparams(after=0, upto=rows))
            return
        with op.get_bind().engine.connect() as connection:
            _run_batches(connection, revision, sa.text(statement), sa.table(table, sa.column(key)).c[key], rows)


def _run_batches(connection: sa.Connection, revision: str, statement: Any, key: Any, rows: int) -> None:
    mine = PROGRESS.c.revision == revision
    with connection.begin():
        PROGRESS.create(connection, checkfirst=True)
        first, last = connection.execute(sa.select(sa.func.min(key), sa.func.max(key))).one()
        if last is None:
            return
        start = insert(PROGRESS).values(revision=revision, done=first - 1)
        connection.execute(start.on_conflict_do_nothing())
        after = connection.execute(sa.select(PROGRESS.c.done).where(mine)).scalar_one()
    reported = time.monotonic()
    while after < last:
        batch = sa.select(key).where(key > after, key <= last).order_by(key).limit(rows).subquery()
        with connection.begin():
            upto = connection.execute(sa.select(sa.func.max(batch.c[0]))).scalar() or last
            connection.execute(statement, {"after": after, "upto": upto})
            connection.execute(sa.update(PROGRESS).where(mine).values(done=upto))
        after = upto
        if time.monotonic() - reported >= REPORT_SECONDS or after >= last:
            reported = time.monotonic()
            print(f"backfill {revision}: {key.name} {after} of {last}", flush=True)  # noqa: T201 - the Job's log


def describe_lock_timeout(connection: sa.Connection, error: Exception) -> str:
    """What a migration has waited for in vain, and who holds it; "" when it failed for another reason."""
    if not isinstance(error, sa.exc.DBAPIError) or getattr(error.orig, "sqlstate", "") != LOCK_NOT_AVAILABLE:
        return ""
    statement = " ".join((error.statement or "").split())
    holders = connection.execute(sa.text(HOLDERS), {"statement": statement}).scalars().all()
    return f"LockNotAvailable: no lock for {statement!r}, held: {'; '.join(holders) or 'by nobody any more'}"
