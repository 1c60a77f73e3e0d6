"""docs/migrations.md holds: what it refuses is refused, what passes runs; a failed or killed migration is repeated. On PostgreSQL.

Not proven: that locks are short on a big table; PostgreSQL's manual and squawk's rules say which are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import Any, LiteralString, cast

import psycopg
import pytest

from slipway import delivery
from slipway.delivery.adapters.backfill_job import read_backfill
from slipway.delivery.adapters.migration_job import LOCK_TIMEOUT_MILLISECONDS, is_lock_timeout
from slipway.delivery.migrations.history import render_migrations
from slipway.delivery.migrations.lint import lint_migrations
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.ports import World
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import OperationError
from tests.postgres_server import postgres_server
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/migrations.md").read_text()
TABLES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)[0]
SEARCH_PATH = "-c search_path=shop,public"
HEAD = "import sqlalchemy as sa\nfrom alembic import op\nfrom migrations.online import backfill, concurrently, create_index\n"


Row = tuple[str, str, str]
"""A migration: id, phase, body."""


def read_page() -> Iterator[tuple[set[str], list[Row]]]:
    """Rules that refuse each example, and its migrations; their ids hold the page's line."""
    for found in re.finditer(r"```python\n# (\w+)(?: in (\w+))?(?:: ([^\n]*))?\n(.*?)```", PAGE, re.DOTALL):
        verdict, phase, rest, code = found.groups()
        phase = phase or (rest if verdict == "passes" and rest else "expand")
        parts = re.split(r"# next migration: (\w+)\n", code)
        name = f"line{PAGE.count(chr(10), 0, found.start()) + 1}"
        bodies = zip([phase, *parts[1::2]], parts[::2], strict=True)
        rows = [(f"{name}x{number}", *body) for number, body in enumerate(bodies)]
        yield set(rest.split(", ")) if verdict == "refused" else set(), rows


EXAMPLES = list(read_page())


def write_app(folder: Path, migrations: Sequence[Row]) -> Path:
    """The orders service with other migrations, in this order; its alembic.ini."""
    shutil.copytree(ROOT / "app", folder, ignore=shutil.ignore_patterns("__pycache__", "versions"), dirs_exist_ok=True)
    versions = folder / "migrations" / "versions"
    shutil.rmtree(versions, ignore_errors=True)
    versions.mkdir()
    for down, (name, phase, body) in zip([None, *(name for name, *_ in migrations)], migrations, strict=False):
        fields = f"revision = {name!r}\ndown_revision = {down!r}\nphase = {phase!r}\n"
        source = f"from __future__ import annotations\n{HEAD}{fields}\ndef upgrade():\n{indent(body, '    ')}\n"
        (versions / f"{name}.py").write_text(source)
    return folder / "alembic.ini"


def test_page_says_what_is_refused_and_what_passes(tmp_path: Path) -> None:
    want = {row[0]: refused for refused, rows in EXAMPLES for row in rows}
    migrations = render_migrations(write_app(tmp_path / "app", [row for _, rows in EXAMPLES for row in rows]))
    found = zip(migrations, lint_migrations(migrations), strict=True)
    assert {migration.id: {finding.rule for finding in findings} for migration, findings in found} == want
    assert len(want) > 60


class Database:
    """One PostgreSQL, and the Job's command against it."""

    def __init__(self, port: int, folder: Path) -> None:
        self._folder = folder
        self._address = {"host": "127.0.0.1", "port": port, "dbname": "orders", "user": "orders", "password": "secret"}
        names = zip(("HOST", "PORT", "NAME", "USER", "PASSWORD"), self._address.values(), strict=True)
        self._environment = os.environ | {f"DATABASE_{name}": str(value) for name, value in names}
        self._environment["PGOPTIONS"] = f"{SEARCH_PATH} -c lock_timeout={LOCK_TIMEOUT_MILLISECONDS}"

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(**self._address, options=SEARCH_PATH)

    def ask(self, query: Any) -> Any:
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def start(self, *migrations: Row, arguments: Sequence[str] = ("upgrade", "head")) -> subprocess.Popen[str]:
        ini = write_app(self._folder, migrations)
        argv = [sys.executable, "-m", "alembic", "-c", str(ini), *arguments]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(argv, cwd=ini.parent, env=self._environment, **pipes)

    def migrate(
        self, *migrations: Row, arguments: Sequence[str] = ("upgrade", "head")
    ) -> subprocess.CompletedProcess[str]:
        running = self.start(*migrations, arguments=arguments)
        output, errors = running.communicate(timeout=120)
        return subprocess.CompletedProcess(running.args, running.returncode, output, errors)


RESET = f"DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop; {TABLES}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with postgres_server(tmp_path_factory.mktemp("postgres"), "migrations", "secret") as port:
        yield port


@pytest.fixture
def database(server: int, tmp_path: Path) -> Database:
    made = Database(server, tmp_path / "app")
    with made.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS public.alembic_version")
        connection.execute(cast("LiteralString", RESET))
        connection.execute("CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY)")
    return made


def test_what_passes_on_the_page_runs_on_postgresql(database: Database) -> None:
    passing = [rows for refused, rows in EXAMPLES if not refused]
    done = database.migrate(
        *(row for rows in passing for row in [(f"before_{rows[0][0]}", "expand", f'op.execute("""{RESET}""")'), *rows])
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert database.ask("SELECT version_num FROM alembic_version") == [(passing[-1][-1][0],)]


INDEX = ("index", "expand", 'create_index("orders_note", "orders", ["note"], unique=True)')
INDEXES = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('orders_note')"


def test_index_of_a_failed_attempt_is_dropped_and_created_again(database: Database) -> None:
    same = ("same", "expand", "op.execute(\"UPDATE orders SET note = 'x' WHERE id > 0\")")
    failed = database.migrate(same, INDEX)
    assert "UniqueViolation" in failed.stderr
    assert database.ask(INDEXES) == [(False,)]
    assert database.ask("SELECT version_num FROM alembic_version") == [("same",)]
    with database.connect() as connection:
        connection.execute("UPDATE orders SET note = id::text")
    assert database.migrate(same, INDEX).returncode == 0
    assert database.ask(INDEXES) == [(True,)]


BUILDING = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active' AND query LIKE '%INDEX CONCURRENTLY%'"


def test_index_waits_longer_than_the_lock_timeout_and_ends_with_a_killed_job(database: Database) -> None:
    with database.connect() as writer:
        writer.execute("UPDATE orders SET note = id::text")
        killed = database.start(INDEX)
        while killed.poll() is None and not database.ask(BUILDING):
            time.sleep(0.1)
        with pytest.raises(subprocess.TimeoutExpired):
            killed.communicate(timeout=2 * LOCK_TIMEOUT_MILLISECONDS / 1000)
        killed.kill()
        killed.communicate()
        deadline = time.monotonic() + 30
        while database.ask(BUILDING):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert database.ask(INDEXES) == [(False,)]
    assert database.migrate(INDEX).returncode == 0
    assert database.ask(INDEXES) == [(True,)]


def test_expand_that_gets_no_lock_is_undone_as_a_whole_and_tried_again(database: Database) -> None:
    first = ("first", "expand", 'op.add_column("customers", sa.Column("sku", sa.Text))')
    second = ("second", "expand", first[2].replace("sku", "tag") + "\n" + first[2].replace("customers", "orders"))
    columns = "SELECT column_name FROM information_schema.columns WHERE column_name IN ('sku', 'tag')"
    with database.connect() as reader:
        reader.execute("SELECT * FROM orders")
        failed = database.migrate(first, second).stderr.splitlines()
    assert is_lock_timeout(failed)
    told = r"LockNotAvailable: no lock for '.* ADD COLUMN sku TEXT', held: orders by orders pid \d+ idle in transaction for \d+ s: SELECT"
    assert re.match(told, failed[-1])
    assert database.ask(columns) == [("sku",)]
    assert database.migrate(first, second).returncode == 0
    assert sorted(database.ask(columns)) == [("sku",), ("sku",), ("tag",)]


def test_second_job_does_not_migrate_beside_the_first(database: Database) -> None:
    with database.connect() as first:
        first.execute("SELECT pg_advisory_lock(hashtext('alembic'))")
        failed = database.migrate().stderr.splitlines()
    assert is_lock_timeout(failed)
    assert "held: advisory by orders" in failed[-1]


BATCHES = 'backfill(revision, "UPDATE orders SET quantity = quantity * 100 WHERE id > :after AND id <= :upto", "orders", rows=5)'


def test_interrupted_backfill_goes_on_after_its_last_batch_and_repeats_none(database: Database) -> None:
    failed = database.migrate(("fill", "expand", BATCHES.replace("100", "100 / (60 - id * 4)")))
    assert "DivisionByZero" in failed.stderr
    ((_, last),) = database.ask("SELECT * FROM backfill_progress")
    assert 0 < last < 15  # a slow machine makes batches smaller
    before = dict(database.ask("SELECT id, quantity FROM orders"))
    done = database.migrate(("fill", "expand", BATCHES))
    assert done.returncode == 0, done.stderr
    assert "backfill fill: id 20 of 20" in done.stdout
    after = dict(database.ask("SELECT id, quantity FROM orders"))
    assert after == {key: before[key] if key <= last else key * 100 for key in before}


NOTE = (
    "fill",
    "backfill",
    """backfill(
    revision, "UPDATE orders SET note = item WHERE note IS NULL AND id > :after AND id <= :upto", "orders", rows=2, pause_seconds=0.3
)""",
)
ROWS = (
    "rows",
    "backfill",
    """backfill(
    revision,
    "UPDATE orders SET note = item WHERE id IN (SELECT id FROM orders WHERE note IS NULL ORDER BY id LIMIT :rows FOR UPDATE SKIP LOCKED)",
    rows=3,
    pause_seconds=1,
)""",
)
EMPTY = "SELECT count(*) FROM orders WHERE note IS NULL"


def fill(name: str, run: str = "first") -> tuple[str, ...]:
    return ("-x", f"backfill={name}", "-x", f"run={run}", "current")


def test_backfill_is_noted_with_the_migrations_and_changes_nothing_until_it_is_asked_for(database: Database) -> None:
    done = database.migrate(NOTE, ("later", "expand", 'op.add_column("orders", sa.Column("sku", sa.Text))'))
    assert done.returncode == 0, done.stderr
    assert database.ask("SELECT version_num FROM alembic_version") == [("later",)]
    assert database.ask(EMPTY) == [(20,)]
    filled = database.migrate(NOTE, arguments=fill("fill"))
    assert filled.returncode == 0, filled.stderr
    seen = read_backfill("job", "fill", filled.stdout.splitlines(), succeeded=True, failure=None)
    assert (seen.done, seen.progress) == (True, "id 20 of 20 (100%)")
    assert database.ask(EMPTY) == [(0,)]


def test_killed_backfill_goes_on_where_it_stopped_beside_a_migration_and_a_later_run_begins_anew(
    database: Database,
) -> None:
    assert database.migrate(NOTE).returncode == 0
    killed = database.start(NOTE, arguments=fill("fill"))
    while killed.poll() is None and database.ask(EMPTY) == [(20,)]:
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    ((left,),) = database.ask(EMPTY)
    ((_, last),) = database.ask("SELECT * FROM backfill_progress")
    assert (20 - last, 0 < left < 20) == (left, True)
    with database.connect() as connection:  # what is behind it is not looked at again in this run
        connection.execute("UPDATE orders SET note = NULL WHERE id = 1")
    running = database.start(NOTE, arguments=fill("fill"))
    beside = database.migrate(NOTE, ("later", "expand", 'op.add_column("orders", sa.Column("sku", sa.Text))'))
    output, errors = running.communicate(timeout=120)
    assert (running.returncode, beside.returncode) == (0, 0), errors + beside.stderr
    assert output.endswith("backfill fill: complete\n")
    assert database.ask("SELECT id FROM orders WHERE note IS NULL") == [(1,)]
    assert database.migrate(NOTE, arguments=fill("fill", "second")).returncode == 0
    assert database.ask(EMPTY) == [(0,)]


def test_backfill_without_a_key_skips_rows_that_users_have_locked_and_waits_for_them_in_the_end(
    database: Database,
) -> None:
    assert database.migrate(ROWS).returncode == 0
    with database.connect() as user:
        user.execute("SELECT id FROM orders WHERE id = 2 FOR UPDATE")
        running = database.start(ROWS, arguments=fill("rows"))
        while running.poll() is None and database.ask(EMPTY) != [(1,)]:
            time.sleep(0.05)
        wait_until(
            lambda: database.ask("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted") == [(True,)],
            "a wait for the row",
        )
        time.sleep(1.5)  # longer than a batch waits for a lock
        assert running.poll() is None
    output, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors
    assert "LockNotAvailable in a batch of backfill rows: again with" in output
    assert output.splitlines()[-2:] == ["backfill rows: 20 rows", "backfill rows: complete"]
    assert database.ask(EMPTY) == [(0,)]


def test_every_backfill_of_the_page_runs_twice(database: Database) -> None:
    rows = [row for refused, rows in EXAMPLES if not refused for row in rows if row[1] == "backfill"]
    assert len(rows) > 3
    for name, phase, body in rows:
        if "gross" not in body:
            for _ in range(2):
                done = database.migrate((name, phase, body), arguments=fill(name))
                assert done.returncode == 0, done.stderr


def test_index_that_a_failed_attempt_left_invalid_is_told_by_it_and_by_the_next_one(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE orders SET note = 'x'")
    told = (
        "UniqueViolation: .*; INVALID: orders_note on orders; create_index\\(\\) makes it again with the next attempt"
    )
    assert re.search(told, database.migrate(INDEX).stderr.splitlines()[-1])
    with database.connect() as connection:
        connection.execute("UPDATE orders SET note = id::text")
    done = database.migrate(INDEX)
    assert "orders_note on orders is INVALID, left by a failed attempt" in done.stdout
    assert database.ask(INDEXES) == [(True,)]


class _Migrating:
    """A simulated cluster whose migrations run on PostgreSQL."""

    def __init__(self, inner: Any, database: Database, rows: dict[str, Row]) -> None:
        self._inner, self._database, self._rows = inner, database, rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def migrate(self, release: Any, revisions: Sequence[Revision], tell: Any) -> None:
        known = list(self._rows)
        done = self._database.migrate(*(self._rows[name] for name in known[: known.index(revisions[-1].id) + 1]))
        if done.returncode:
            raise OperationError(done.stderr.splitlines()[-1])


OLD = "INSERT INTO orders (id, item, quantity) VALUES (%s, 'tea', 1)"


@pytest.mark.parametrize("fault", ["error", "lock"])
def test_failed_expand_leaves_traffic_and_schema_to_the_old_release(database: Database, fault: str) -> None:
    rehearsal = Rehearsal()
    dev = rehearsal.environment("dev")
    rehearsal.check_out("1.0.0", revisions=[Revision(id="good", phase=MigrationPhase.EXPAND)])
    rows = {
        "good": ("good", "expand", 'op.add_column("orders", sa.Column("sku", sa.Text))'),
        "bad": ("bad", "expand", 'op.add_column("orders", sa.Column("tag", sa.Text))\nop.execute("SELECT 1 / 0")'),
    }
    plain = rehearsal.context("dev")
    context = replace(plain, connect=lambda target: _with_database(plain.connect(target), database, rows))
    delivery.release(context)
    before, moves = dev.weights, list(dev.moves)
    rehearsal.check_out("2.0.0", revisions=[Revision(id=name, phase=MigrationPhase.EXPAND) for name in rows])
    waits: list[float] = []
    stop = threading.Event()

    def use() -> None:
        number = 100
        with database.connect() as user:
            while not stop.is_set():
                began, number = time.monotonic(), number + 1
                user.execute(OLD, (number,))
                user.commit()
                waits.append(time.monotonic() - began)

    user = threading.Thread(target=use)
    user.start()
    with database.connect() as reader:
        if fault == "lock":
            reader.execute("SELECT * FROM orders")
        with pytest.raises(
            delivery.ReleaseRolledBackError, match="LockNotAvailable" if fault == "lock" else "division"
        ):
            delivery.release(context)
    stop.set()
    user.join()
    assert len(waits) > 10
    assert max(waits) < 20  # behind a migration that waits for its lock, for a second each time
    assert (dev.weights, dev.moves) == (before, moves)
    assert rehearsal.ledger.schema(dev.place).head == "good"
    columns = "SELECT column_name FROM information_schema.columns WHERE column_name IN ('sku', 'tag')"
    assert database.ask(columns) == [("sku",)]
    rows["bad"] = ("bad", "expand", 'op.add_column("orders", sa.Column("tag", sa.Text))')
    rehearsal.check_out("2.0.1")
    delivery.release(context)
    assert rehearsal.ledger.schema(dev.place).head == "bad"


def _with_database(world: World, database: Database, rows: dict[str, Row]) -> World:
    return replace(world, cluster=cast("Any", _Migrating(world.cluster, database, rows)))
