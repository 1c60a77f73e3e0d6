"""Operations on tables in use: indexes that block no writes, and backfills in batches. Other services may copy this file."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

REPORT_SECONDS = 5
BATCH_SECONDS = 0.5
"""A batch that takes longer makes the next one smaller: its locks are held as long, and nothing else gets them."""
LIMITS = "SELECT set_config('lock_timeout', '1s', true), set_config('statement_timeout', '10s', true)"
IN_THE_WAY = {"55P03", "57014", "40P01", "40001"}
"""No lock, a time that was over, a deadlock, others who changed the same: a smaller batch, later, may pass."""
BATCH_ATTEMPTS = 10
SKIP_LOCKED = " SKIP LOCKED"
PROGRESS = sa.Table(
    "backfill_progress",
    sa.MetaData(),
    sa.Column("revision", sa.Text, primary_key=True),
    sa.Column("done", sa.BigInteger, nullable=False),
)
"""The last key whose batch was committed (or how many rows were changed), by migration and run."""
LOCK_NOT_AVAILABLE = "55P03"
HOLDERS = """
SELECT DISTINCT concat_ws(' ', coalesce(c.relname, l.locktype), 'by', coalesce(nullif(application_name, ''), usename),
    'pid', pid, state, 'for', extract(epoch FROM clock_timestamp() - coalesce(xact_start, state_change))::int, 's:', left(query, 80))
FROM pg_locks l JOIN pg_stat_activity a USING (pid) LEFT JOIN pg_class c ON c.oid = l.relation
WHERE granted AND pid <> pg_backend_pid() AND datname = current_database()
    AND (strpos(:statement, c.relname) > 0 OR strpos(:statement, l.locktype) > 0) LIMIT 5
"""
"""Who has locks on what a statement names."""
INVALID = """
SELECT concat(i.indexrelid::regclass, ' on ', i.indrelid::regclass) FROM pg_index i
WHERE NOT i.indisvalid AND i.indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index)
    AND (CAST(:name AS text) = '' OR i.indexrelid = to_regclass(:name)) ORDER BY 1
"""
"""Indexes that a failed CONCURRENTLY has left, and nobody is making now."""


@contextmanager
def concurrently() -> Iterator[None]:
    """Outside the transaction and without lock_timeout, which would leave an INVALID index behind."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        yield
        op.execute("RESET lock_timeout")


def create_index(name: str, table: str, columns: Sequence[str], **options: Any) -> None:
    """Create an index while its table is written to. What a failed attempt has left is dropped first."""
    if not op.get_context().as_sql:
        for left in op.get_bind().execute(sa.text(INVALID), {"name": name}).scalars():
            tell(f"{left} is INVALID, left by a failed attempt: it is dropped, and made again")
    with concurrently():
        op.drop_index(name, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, list(columns), postgresql_concurrently=True, **options)


def backfill(
    revision: str, statement: str, table: str = "", *, key: str = "id", rows: int = 5000, pause_seconds: float = 0.1
) -> None:
    """Run `statement` for at most `rows` rows at a time, each batch in a short transaction of its own, with a pause after it.

    It limits itself by `:after` and `:upto`, values of the integer column `key` of `table`:
    UPDATE orders SET currency = 'EUR' WHERE currency IS NULL AND id > :after AND id <= :upto
    or by `:rows`, until it finds none any more:
    UPDATE orders SET currency = 'EUR' WHERE id IN (SELECT id FROM orders WHERE currency IS NULL LIMIT :rows FOR UPDATE SKIP LOCKED)

    What was interrupted goes on after the last finished batch. `revision` is the migration's own. Where its `phase` is "backfill",
    `alembic upgrade` changes nothing, and `alembic -x backfill=<revision> current` runs the batches.
    """
    context = op.get_context()
    if context.as_sql:  # what the lint reads
        values = {"after": 0, "upto": rows, "rows": rows}
        bound = sa.text(statement).bindparams(**{name: values[name] for name in values if f":{name}" in statement})
        with context.autocommit_block():
            op.execute(bound)
        return
    arguments = context.environment_context.get_x_argument(as_dictionary=True)
    module = context.environment_context.script.get_revision(revision).module
    if getattr(module, "phase", "") == "backfill" and arguments.get("backfill") != revision:
        tell(f"backfill {revision}: noted, `alembic -x backfill={revision} current` runs it")
        return
    # Another run begins anew: what has written since the one before may know nothing of it.
    name = f"{revision} {arguments.get('run', '')}".strip()
    with context.autocommit_block(), op.get_bind().engine.connect() as connection:
        batches = _Batches(connection, revision, name, rows, pause_seconds)
        if ":rows" in statement:
            batches.run_until_none(statement)
        else:
            batches.run_through(sa.text(statement), sa.table(table, sa.column(key)).c[key])


def run_backfill(context: MigrationContext, revision: str) -> None:
    """What `alembic -x backfill=<revision> current` does, from env.py."""
    with Operations.context(context):
        context.environment_context.script.get_revision(revision).module.upgrade()
    tell(f"backfill {revision}: complete")


class _Batches:
    """One run of a backfill."""

    def __init__(self, connection: sa.Connection, revision: str, name: str, rows: int, pause_seconds: float) -> None:
        self._connection = connection
        self._revision = revision
        self._mine = PROGRESS.c.revision == name
        self._name = name
        self._most = self._rows = rows
        self._pause_seconds = pause_seconds
        self._told_at = time.monotonic()

    def run_through(self, statement: sa.TextClause, key: sa.ColumnClause[int]) -> None:
        """By ranges of `key`, up to the greatest one that there is now."""
        with self._connection.begin():
            first, last = self._connection.execute(sa.select(sa.func.min(key), sa.func.max(key))).one()
        if last is None:
            return
        after = self._start(first - 1)

        def batch(rows: int) -> int:
            keys = sa.select(key).where(key > after, key <= last).order_by(key).limit(rows).subquery()
            upto = self._connection.execute(sa.select(sa.func.max(keys.c[0]))).scalar() or last
            self._connection.execute(statement, {"after": after, "upto": upto})
            self._note(upto)
            return upto

        while after < last:
            after = self._run(batch)
            share = (after - first + 1) / (last - first + 1)
            self._report(f"{key.name} {after} of {last} ({share:.0%})", last=after >= last)

    def run_until_none(self, statement: str) -> None:
        """Until a batch that waits for rows which others have locked finds none to change."""
        changed = self._start(0)
        waiting = statement.replace(SKIP_LOCKED, "")
        while True:
            found = self._run(self._changing(statement, changed))
            if not found:  # perhaps all that are left are locked
                found = self._run(self._changing(waiting, changed))
            changed += found
            self._report(f"{changed} rows", last=not found)
            if not found:
                return

    def _changing(self, statement: str, before: int) -> Callable[[int], int]:
        def batch(rows: int) -> int:
            found = self._connection.execute(sa.text(statement), {"rows": rows}).rowcount
            self._note(before + found)
            return found

        return batch

    def _start(self, done: int) -> int:
        """Where the last batch of this run ended; `done` for its first one."""
        with self._connection.begin():
            PROGRESS.create(self._connection, checkfirst=True)
            self._connection.execute(insert(PROGRESS).values(revision=self._name, done=done).on_conflict_do_nothing())
            return self._connection.execute(sa.select(PROGRESS.c.done).where(self._mine)).scalar_one()

    def _note(self, done: int) -> None:
        self._connection.execute(sa.update(PROGRESS).where(self._mine).values(done=done))

    def _run(self, batch: Callable[[int], int]) -> int:
        """One batch, with fewer rows when it takes long, and again when others are in its way."""
        for attempt in range(1, BATCH_ATTEMPTS + 1):
            began = time.monotonic()
            try:
                with self._connection.begin():
                    self._connection.execute(sa.text(LIMITS))
                    answer = batch(self._rows)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", "") not in IN_THE_WAY or attempt == BATCH_ATTEMPTS:
                    raise
                self._rows = max(self._rows // 2, 1)
                tell(
                    f"{type(error.orig).__name__} in a batch of backfill {self._revision}: again with {self._rows} rows"
                )
                time.sleep(attempt * self._pause_seconds)
                continue
            took = time.monotonic() - began
            if took > BATCH_SECONDS:
                self._rows = max(self._rows // 2, 1)
            elif took < BATCH_SECONDS / 4:
                self._rows = min(self._rows * 2, self._most)
            time.sleep(max(self._pause_seconds, took))  # half of the time is the users' alone
            return answer
        raise AssertionError("unreachable")

    def _report(self, text: str, *, last: bool) -> None:
        if last or time.monotonic() - self._told_at >= REPORT_SECONDS:
            self._told_at = time.monotonic()
            tell(f"backfill {self._revision}: {text}")


def tell(line: str) -> None:
    """A line of the Job's log, which Slipway reads."""
    print(line, flush=True)  # noqa: T201


def describe_failure(connection: sa.Connection, error: sa.exc.DBAPIError) -> str:
    """In one line: what failed, who was in the way, and what a failed CONCURRENTLY has left."""
    if described := describe_lock_timeout(connection, error):
        return described
    what, statement = (" ".join(str(text).split()) for text in (error.orig, error.statement))
    text = f"{type(error.orig).__name__}: {what} in {statement!r}"
    invalid = connection.execute(sa.text(INVALID), {"name": ""}).scalars().all()
    return (
        f"{text}; INVALID: {', '.join(invalid)}; create_index() makes it again with the next attempt"
        if invalid
        else text
    )


def describe_lock_timeout(connection: sa.Connection, error: Exception) -> str:
    """What a migration has waited for in vain, and who holds it; "" when it failed for another reason."""
    if not isinstance(error, sa.exc.DBAPIError) or getattr(error.orig, "sqlstate", "") != LOCK_NOT_AVAILABLE:
        return ""
    statement = " ".join((error.statement or "").split())
    holders = connection.execute(sa.text(HOLDERS), {"statement": statement}).scalars().all()
    return f"LockNotAvailable: no lock for {statement!r}, held: {'; '.join(holders) or 'by nobody any more'}"
