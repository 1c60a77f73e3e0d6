"""Reads the service's migrations with Alembic, and refuses what could not be delivered safely."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from slipway.delivery.migrations.lint import Migration, lint_migrations
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.errors import UsageError

RENDER_TIMEOUT_SECONDS = 120
PHASES = {item.value for item in MigrationPhase}


def load_revisions(app_dir: Path) -> tuple[Revision, ...]:
    """Every migration of `app_dir`, oldest first; () without an alembic.ini.

    UsageError, all faults at once: several heads, no or an unknown `phase`, an expand migration that the old release cannot live with.
    """
    ini = app_dir / "alembic.ini"
    if not ini.is_file():
        return ()
    migrations = render_migrations(ini)
    faults: list[str] = []
    for migration, findings in zip(migrations, lint_migrations(migrations), strict=True):
        if migration.phase in PHASES:
            faults += [f"{migration.file}:{item.line}: {item.rule}: {item.text}" for item in findings]
        else:
            want = 'want phase = "expand" or phase = "contract"'
            faults.append(f"{migration.file}: phase is {migration.phase!r}, {want}")
    if faults:
        remedy = "docs/migrations.md has a way that passes for each rule"
        raise UsageError("; ".join(faults), where=str(app_dir), remedy=remedy)
    return tuple(Revision(id=item.id, phase=MigrationPhase(item.phase)) for item in migrations)


def render_migrations(ini: Path) -> list[Migration]:
    """Every migration as SQL, oldest first."""
    # As a file, not as a module: the package's own imports would take longer than the work.
    argv = [sys.executable, "-P", str(Path(__file__).with_name("offline.py")), str(ini)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=RENDER_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"the migrations cannot be read: no end within {error.timeout:g} s", where=str(ini)) from None
    last = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
    rendered: dict[str, Any] = {"error": last} if done.returncode else json.loads(done.stdout)
    if "error" in rendered:
        raise UsageError(f"the migrations cannot be read: {rendered['error']}", where=str(ini))
    heads = rendered["heads"]
    if len(heads) > 1:
        text = f"the migrations have {len(heads)} heads: {', '.join(heads)}"
        raise UsageError(text, where=str(ini), remedy="merge them: alembic merge heads")
    return [Migration(**item) for item in rendered["migrations"]]
