"""docs/migrations.md holds: what it refuses is refused, what passes runs; a failed or killed migration is repeated. On PostgreSQL.

Not proven: that locks are short on a big table; PostgreSQL's manual and squawk's rules say which are.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import psycopg
import pytest

from slipway.delivery.adapters.migration_job import LOCK_TIMEOUT_MILLISECONDS, is_lock_timeout
from slipway.delivery.migrations.history import render_migrations
from slipway.delivery.migrations.lint import lint_migrations
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.postgres import DatabaseSpec, PostgresInstances
from slipway.sandbox.processes import ProcessTable

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/migrations.md").read_text()
TABLES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)[0]
UPGRADE = [sys.executable, "-m", "alembic", "-c", "alembic.ini", "upgrade", "head"]
HEAD = "import sqlalchemy as sa\nfrom alembic import op\nfrom migrations.online import backfill, concurrently, create_index\n"


@dataclass(frozen=True)
class Example:
    line: int
    refused: tuple[str, ...]
    migrations: tuple[tuple[str, str], ...]
    """Phase and body of each."""


def read_page() -> Iterator[Example]:
    for found in re.finditer(r"```python\n# (refused: |passes)([^\n]*)\n(.*?)```", PAGE, re.DOTALL):
        verdict, rest, code = found.groups()
        first = rest.removeprefix(", ") if verdict == "passes" and rest else "expand"
        first_body, *others = re.split(r"# next migration: (\w+)\n", code)
        migrations = ((first, first_body), *zip(others[::2], others[1::2], strict=True))
        refused = tuple(rest.split(", ")) if verdict != "passes" else ()
        yield Example(PAGE.count("\n", 0, found.start()) + 1, refused, migrations)


EXAMPLES = list(read_page())


def write_app(folder: Path, migrations: list[tuple[str, str, str]]) -> Path:
    """The orders service with other migrations: (id, phase, body), in this order."""
    shutil.copytree(ROOT / "app", folder, ignore=shutil.ignore_patterns("__pycache__", "versions"), dirs_exist_ok=True)
    versions = folder / "migrations" / "versions"
    shutil.rmtree(versions, ignore_errors=True)
    versions.mkdir()
    for down, (name, phase, body) in zip([None, *(name for name, *_ in migrations)], migrations, strict=False):
        fields = f"revision = {name!r}\ndown_revision = {down!r}\nphase = {phase!r}\n"
        source = f"from __future__ import annotations\n{HEAD}{fields}\ndef upgrade():\n{indent(body, '    ')}\n"
        (versions / f"{name}.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[set[str]]]:
    """Rules broken by each migration of each example, by the example's line."""
    rows = [
        (f"m{example.line}x{number}", phase, body)
        for example in EXAMPLES
        for number, (phase, body) in enumerate(example.migrations)
    ]
    migrations = render_migrations(write_app(tmp_path_factory.mktemp("page") / "app", rows) / "alembic.ini").migrations
    broken = iter(lint_migrations(migrations))
    return {
        example.line: [{finding.rule for finding in next(broken)} for _ in example.migrations] for example in EXAMPLES
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line-{example.line}")
def test_page_says_what_is_refused_and_what_passes(example: Example, findings: dict[int, list[set[str]]]) -> None:
    assert findings[example.line] == [set(example.refused)] * len(example.migrations)


class Database:
    """One PostgreSQL, and the Job's command against it."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self._folder = folder
        self.environment = os.environ | {
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": str(port),
            "DATABASE_NAME": "orders",
            "DATABASE_USER": "orders",
            "DATABASE_PASSWORD": "secret",
            "PGOPTIONS": f"-c lock_timeout={LOCK_TIMEOUT_MILLISECONDS} -c search_path=shop,public",
        }

    def connect(self) -> psycopg.Connection[Any]:
        options = "-c search_path=shop,public"
        return psycopg.connect(
            host="127.0.0.1", port=self._port, user="orders", password="secret", dbname="orders", options=options
        )

    def ask(self, query: Any) -> Any:
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def migrate(self, *migrations: tuple[str, str, str]) -> subprocess.CompletedProcess[str]:
        app = self.write(*migrations)
        return subprocess.run(
            UPGRADE, cwd=app, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    def write(self, *migrations: tuple[str, str, str]) -> Path:
        return write_app(self._folder, [("reset", "expand", RESET), *migrations])


RESET = f'op.execute("""DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop; {TABLES}""")'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    if os.geteuid() != 0 or not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("needs root and Debian's PostgreSQL")
    paths = SandboxPaths(tmp_path_factory.mktemp("postgres"))
    instances = PostgresInstances(paths, ProcessTable(paths))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    spec = DatabaseSpec(
        name="migrations", port=port, master_username="orders", master_password="secret", database="orders"
    )
    instances.create(spec)
    yield port
    instances.delete("migrations")


@pytest.fixture
def database(server: int, tmp_path: Path) -> Database:
    made = Database(server, tmp_path / "app")
    with made.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS public.alembic_version")
        connection.execute("CREATE SCHEMA IF NOT EXISTS shop")
        connection.execute("CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY)")
    return made


def test_what_passes_on_the_page_runs_on_postgresql(database: Database) -> None:
    rows = [
        row
        for example in EXAMPLES
        if not example.refused
        for row in [
            (f"m{example.line}", "expand", RESET),
            *((f"m{example.line}x{n}", phase, body) for n, (phase, body) in enumerate(example.migrations)),
        ]
    ]
    done = database.migrate(*rows)
    assert done.returncode == 0, done.stderr[-2000:]
    assert database.ask("SELECT version_num FROM alembic_version") == [(rows[-1][0],)]


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


def test_index_waits_for_a_transaction_longer_than_the_lock_timeout(database: Database) -> None:
    assert database.migrate().returncode == 0
    app = database.write(INDEX)
    with database.connect() as writer:
        writer.execute("UPDATE orders SET note = id::text")
        running = subprocess.Popen(UPGRADE, cwd=app, env=database.environment)
        while running.poll() is None and not database.ask(INDEXES):
            time.sleep(0.1)
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(2 * LOCK_TIMEOUT_MILLISECONDS / 1000)
        writer.commit()
        assert running.wait(60) == 0
    assert database.ask(INDEXES) == [(True,)]


def test_expand_that_gets_no_lock_is_undone_as_a_whole_and_tried_again(database: Database) -> None:
    first = ("first", "expand", 'op.add_column("customers", sa.Column("sku", sa.Text))')
    second = ("second", "expand", first[2].replace("sku", "tag") + "\n" + first[2].replace("customers", "orders"))
    columns = "SELECT column_name FROM information_schema.columns WHERE column_name IN ('sku', 'tag')"
    assert database.migrate().returncode == 0
    with database.connect() as reader:
        reader.execute("SELECT * FROM orders")
        assert is_lock_timeout(database.migrate(first, second).stderr.splitlines())
    assert database.ask(columns) == [("sku",)]
    assert database.migrate(first, second).returncode == 0
    assert sorted(database.ask(columns)) == [("sku",), ("sku",), ("tag",)]


def test_second_job_does_not_migrate_beside_the_first(database: Database) -> None:
    with database.connect() as first:
        first.execute("SELECT pg_advisory_lock(hashtext('alembic'))")
        assert is_lock_timeout(database.migrate().stderr.splitlines())


BATCHES = 'backfill(revision, "UPDATE orders SET quantity = quantity * 100 WHERE id > :after AND id <= :upto", "orders", rows=5)'


def test_interrupted_backfill_goes_on_after_its_last_batch_and_repeats_none(database: Database) -> None:
    failed = database.migrate(("fill", "expand", BATCHES.replace("100", "100 / (60 - id * 4)")))
    assert "DivisionByZero" in failed.stderr
    assert database.ask("SELECT * FROM backfill_progress") == [("fill", 10)]
    before = database.ask("SELECT id, quantity FROM orders WHERE id <= 10 ORDER BY id")
    done = database.migrate(("fill", "expand", BATCHES))
    assert done.returncode == 0, done.stderr
    assert "backfill fill: id 20 of 20" in done.stdout
    assert database.ask("SELECT id, quantity FROM orders WHERE id <= 10 ORDER BY id") == before
    assert database.ask("SELECT sum(quantity) FROM orders WHERE id > 10") == [(15500,)]
