"""Migrations before they run: reading Alembic's folder, and the lint."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from slipway.delivery.adapters.migration_job import is_lock_timeout, job_manifest, job_name
from slipway.delivery.migrations.history import load_revisions
from slipway.delivery.migrations.lint import lint_revision
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.wanted import ColourRelease
from slipway.errors import UsageError

RELEASE = ColourRelease(release="r-20260105-0a1b2c3d", image="registry/orders@sha256:" + "0" * 64, version="1.0.0")


def findings(body: str, phase: MigrationPhase = MigrationPhase.EXPAND, head: str = "") -> list[str]:
    source = (
        f"import sqlalchemy as sa\nfrom alembic import op\n{head}\ndef upgrade():\n{indent(dedent(body), '    ')}\n"
    )
    return [finding.rule for finding in lint_revision(source, phase, set())]


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ('op.create_table("a", sa.Column("id", sa.Integer, primary_key=True, nullable=False))', []),
        ('op.add_column("a", sa.Column("b", sa.Text, nullable=True))', []),
        ('op.add_column("a", sa.Column("b", sa.Text, nullable=False, server_default="x"))', []),
        ('op.add_column("a", sa.Column("b", sa.Text, nullable=False))', ["not-null"]),
        ('op.add_column("a", sa.Column("b", sa.Text, nullable=False, server_default=None))', ["not-null"]),
        ('op.add_column("a", sa.Column("b", sa.BigInteger, sa.Identity(), nullable=False))', []),
        ('op.drop_table("a")', ["drop-table"]),
        ('op.drop_column("a", "b")', ["drop-column"]),
        ('op.rename_table("a", "b")', ["rename-table"]),
        ('op.alter_column("a", "b", new_column_name="c")', ["rename-column"]),
        ('op.alter_column("a", "b", type_=sa.BigInteger)', ["alter-type"]),
        ('op.alter_column("a", "b", nullable=False)', ["not-null"]),
        ('op.alter_column("a", "b", nullable=True)', []),
        ('op.alter_column("a", "b", server_default="x")', []),
        ('op.create_index("i", "a", ["b"])', ["index-lock"]),
        ('op.create_index("i", "a", ["b"], postgresql_concurrently=True)', []),
        ('op.create_table("a", sa.Column("b", sa.Text))\nop.create_index("i", "a", ["b"])', []),
        ('op.create_foreign_key("f", "a", "b", ["x"], ["y"])', ["constraint"]),
        ('op.create_unique_constraint("u", "a", ["b"])', ["constraint"]),
        ('op.drop_constraint("u", "a")', []),
        ('with op.batch_alter_table("a") as batch:\n    batch.drop_column("b")', ["drop-column"]),
        ('op.execute("UPDATE a SET b = 1 WHERE b IS NULL")', []),
        ('op.execute("ALTER TABLE a DROP COLUMN b")', ["destructive-sql"]),
        ('op.execute(sa.text("drop table a"))', ["destructive-sql"]),
        ('op.execute("ALTER TABLE a RENAME COLUMN b TO c")', ["destructive-sql"]),
        ('op.execute("ALTER TABLE a ALTER COLUMN b TYPE bigint")', ["alter-type"]),
        ('op.execute("ALTER TABLE a ALTER COLUMN b SET NOT NULL")', ["not-null"]),
        ('op.execute("CREATE INDEX i ON a (b)")', ["index-lock"]),
        ('op.execute("CREATE INDEX CONCURRENTLY i ON a (b)")', []),
        ('op.execute("DELETE FROM a")', ["destructive-sql"]),
        ('op.execute("DELETE FROM a WHERE b = 1")', []),
        ('op.execute(f"UPDATE {table}")', ["sql-unseen"]),
        ('if True:\n    op.drop_table("a")', ["drop-table"]),
    ],
)
def test_lint_finds_what_the_old_release_could_not_live_with(body: str, rules: list[str]) -> None:
    assert findings(body) == rules


@pytest.mark.parametrize(
    "body", ['op.drop_column("a", "b")', 'op.alter_column("a", "b", nullable=False)', 'op.execute("DROP TABLE a")']
)
def test_contract_migration_may_take_things_away(body: str) -> None:
    assert findings(body, MigrationPhase.CONTRACT) == []


def test_contract_migration_still_must_not_lock_a_table_for_an_index() -> None:
    assert findings('op.create_index("i", "a", ["b"])', MigrationPhase.CONTRACT) == ["index-lock"]


def test_rule_is_silent_when_the_migration_allows_it_by_name() -> None:
    assert findings('op.create_index("i", "tiny", ["b"])', head='lint_allow = ["index-lock"]') == []
    assert findings('op.drop_table("a")', head='lint_allow = ["index-lock"]') == ["drop-table"]


def app(folder: Path, *files: tuple[str, str | None, str, str]) -> Path:
    """An app with migrations (id, down, the line of its phase, body)."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n")
    (folder / "migrations" / "env.py").write_text("")
    for name, down, phase, body in files:
        text = f"from alembic import op\nrevision = {name!r}\ndown_revision = {down!r}\n{phase}\ndef upgrade():\n    {body}\n"
        (versions / f"{name}.py").write_text(text)
    return folder


EXPAND, CONTRACT = 'phase = "expand"', 'phase = "contract"'


def test_revisions_come_oldest_first_with_their_phases(tmp_path: Path) -> None:
    folder = app(tmp_path, ("b2", "a1", CONTRACT, 'op.drop_table("x")'), ("a1", None, EXPAND, "pass"))
    assert load_revisions(folder) == (
        Revision(id="a1", phase=MigrationPhase.EXPAND),
        Revision(id="b2", phase=MigrationPhase.CONTRACT),
    )


def test_service_without_migrations_has_none(tmp_path: Path) -> None:
    assert load_revisions(tmp_path) == ()


def test_refuses_two_heads(tmp_path: Path) -> None:
    folder = app(tmp_path, ("a1", None, EXPAND, "pass"), ("b2", "a1", EXPAND, "pass"), ("c3", "a1", EXPAND, "pass"))
    with pytest.raises(UsageError, match="2 heads: b2, c3"):
        load_revisions(folder)


def test_refuses_all_faults_at_once_with_file_and_line(tmp_path: Path) -> None:
    folder = app(
        tmp_path,
        ("a1", None, "", "pass"),
        ("b2", "a1", 'phase = "later"', "pass"),
        ("c3", "b2", EXPAND, 'op.drop_table("x")'),
    )
    with pytest.raises(UsageError) as caught:
        load_revisions(folder)
    assert "a1.py: phase is None" in str(caught.value)
    assert "b2.py: phase is 'later'" in str(caught.value)
    assert "c3.py:6: drops a table" in str(caught.value)


def test_service_of_this_repository_passes() -> None:
    folder = Path(__file__).parents[3] / "app"
    assert [revision.phase for revision in load_revisions(folder)][:1] == [MigrationPhase.EXPAND]


@pytest.mark.parametrize(
    ("revision", "name"),
    [
        ("0001", "orders-migrate-0a1b2c3d-0001"),
        ("1975ea83b712", "orders-migrate-0a1b2c3d-1975ea83b712"),
        ("Add_Currency", "orders-migrate-0a1b2c3d-add-curren-"),
    ],
)
def test_job_name_is_the_same_for_the_same_release_and_revision(revision: str, name: str) -> None:
    made = job_name("orders", RELEASE, [Revision(id=revision, phase=MigrationPhase.EXPAND)])
    assert made.startswith(name)
    assert len(made) <= 63
    assert made == made.lower()


def test_job_runs_the_release_s_own_image_once_with_a_lock_timeout_and_no_privileges() -> None:
    manifest = job_manifest(
        "j", "orders", "orders-database", RELEASE, [Revision(id="0002", phase=MigrationPhase.EXPAND)]
    )
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert container["image"] == RELEASE.image
    assert container["command"] == ["alembic", "-c", "alembic.ini", "upgrade", "0002"]
    assert container["envFrom"] == [{"secretRef": {"name": "orders-database"}}]
    assert {"name": "PGOPTIONS", "value": "-c lock_timeout=1000"} in container["env"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert manifest["spec"]["backoffLimit"] == 0


@pytest.mark.parametrize(
    ("line", "retried"),
    [
        ("psycopg.errors.LockNotAvailable: canceling statement due to lock timeout", True),
        ('psycopg.errors.DuplicateTable: relation "orders" already exists', False),
    ],
)
def test_only_a_lock_timeout_is_worth_another_try(line: str, retried: bool) -> None:
    assert is_lock_timeout(["INFO  Running upgrade", line]) is retried
