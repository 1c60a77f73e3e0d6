"""Migrations before they run: reading Alembic's folder, and what the Job is. The lint's rules: docs/migrations.md and its test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slipway.delivery.adapters.backfill_job import backfill_manifest
from slipway.delivery.adapters.migration_job import is_lock_timeout, job_manifest, job_name, users_job_manifest
from slipway.delivery.migrations import history
from slipway.delivery.migrations.history import load_revisions
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.target import DatabaseLogin
from slipway.delivery.model.wanted import ColourRelease
from slipway.errors import UsageError

LOGIN = DatabaseLogin(migrations="m", roles="r", ca_config_map="ca")
RELEASE = ColourRelease(release="r-20260105-0a1b2c3d", image="registry/orders@sha256:" + "0" * 64, version="1.0.0")


def app(folder: Path, *files: tuple[str, str | None, str, str]) -> Path:
    """An app with migrations (id, down, the line of its phase, body)."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    ini = "[alembic]\nscript_location = migrations\nprepend_sys_path = %(here)s\npath_separator = os\n"
    (folder / "alembic.ini").write_text(ini)
    (folder / "helper.py").write_text("from alembic import op\ndef drop():\n    op.drop_table('x')\n")
    (folder / "migrations" / "env.py").write_text("")
    for name, down, phase, body in files:
        head = f"from alembic import op; from helper import drop\nrevision = {name!r}\ndown_revision = {down!r}\n"
        text = f"{head}{phase}\ndef upgrade():\n    {body}\n"
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


def chain(folder: Path, *rows: tuple[str, str]) -> Path:
    """An app with a line of migrations m0, m1, … of (the line of its phase, body)."""
    names = [None, *(f"m{number}" for number in range(len(rows)))]
    return app(folder, *((f"m{n}", names[n], phase, body) for n, (phase, body) in enumerate(rows)))


def test_refuses_unknown_phases_all_at_once(tmp_path: Path) -> None:
    folder = chain(tmp_path, ("", "pass"), ('phase = "later"', "pass"), (EXPAND, "pass"))
    with pytest.raises(
        UsageError, match=r"m0.py: phase is None; m1.py: phase is 'later', want phase = \"expand\", phase"
    ):
        load_revisions(folder)


CHECKED = [  # of one migration: the line of its phase, its body, what is found
    (EXPAND, "op.drop_table('x')", ["m0.py:6: ban-drop-table: Dropping a table may break existing clients."]),
    (EXPAND, "drop()", ["m1.py:6: ban-drop-table: Dropping"]),
    (CONTRACT, "drop()", []),
    (f"{EXPAND}; lint_allow = ['ban-drop-table']", "drop()", []),
    (f"{CONTRACT}; lint_allow = ['table-lock']", "op.create_index('i', 'a', ['b'])", ["m4.py:6: require-concurrent-"]),
    (EXPAND, "op.execute('DROP THE TABLE')", 3 * ["m5.py:6: syntax-error"]),
    (EXPAND, "op.get_context().as_sql or drop()", ["m6.py:6: sql-unseen: as_sql"]),
    (f"{EXPAND}; lint_allow = ['sql-unseen']", "op.get_bind().execute(op.f('SELECT 1')).all()", []),
    (EXPAND, "op.create_table('b'); op.execute('UPDATE b SET c = 1'); print('noise')", []),
    (EXPAND, "\n    ".join(12 * ["drop()"]), [f"m9.py:{line}: ban-drop-table" for line in range(6, 16)]),
]


def test_finds_dangerous_operations_with_file_and_line(tmp_path: Path) -> None:
    revisions = load_revisions(chain(tmp_path, *(row[:2] for row in CHECKED)))
    for revision, (*_, starts) in zip(revisions, CHECKED, strict=True):
        assert len(revision.faults) == len(starts), revision
        assert all(map(str.startswith, revision.faults, starts)), revision
    assert "helper" not in sys.modules  # the service's code runs in a process of its own


def test_refuses_migrations_that_cannot_be_imported_or_do_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = chain(tmp_path, (EXPAND, "pass\nimport nowhere"))
    with pytest.raises(UsageError, match="cannot be read: ModuleNotFoundError: No module named 'nowhere'"):
        load_revisions(folder)
    monkeypatch.setattr(history, "RENDER_TIMEOUT_SECONDS", 0.01)
    with pytest.raises(UsageError, match=r"cannot be read: no end within 0\.01 s"):
        load_revisions(folder)


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


def test_no_node_is_taken_away_under_a_job_to_save_money() -> None:
    migration = job_manifest("j", "orders", LOGIN, RELEASE, [Revision(id="0002", phase=MigrationPhase.EXPAND)])
    users = users_job_manifest("u", "orders", LOGIN, RELEASE)
    for manifest in (migration, users, backfill_manifest(migration, "0002", "run-1")):
        kept = manifest["spec"]["template"]["metadata"]["annotations"]
        assert kept["karpenter.sh/do-not-disrupt"] == "true"
        assert kept["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


def test_job_that_was_evicted_all_the_same_begins_again_where_that_does_no_harm() -> None:
    migration = job_manifest("j", "orders", LOGIN, RELEASE, [Revision(id="0002", phase=MigrationPhase.EXPAND)])
    assert "podFailurePolicy" not in migration["spec"], "half a migration is looked at by somebody"
    for manifest in (users_job_manifest("u", "orders", LOGIN, RELEASE), backfill_manifest(migration, "0002", "run-1")):
        (rule,) = manifest["spec"]["podFailurePolicy"]["rules"]
        assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


@pytest.mark.parametrize(
    ("line", "retried"),
    [
        ("psycopg.errors.LockNotAvailable: canceling statement due to lock timeout", True),
        ('psycopg.errors.DuplicateTable: relation "orders" already exists', False),
    ],
)
def test_only_a_lock_timeout_is_worth_another_try(line: str, retried: bool) -> None:
    assert is_lock_timeout(["INFO  Running upgrade", line]) is retried
