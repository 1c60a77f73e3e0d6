"""Reads the service's migrations with Alembic, and what could not be delivered safely in them."""

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
MOST_FAULTS = 10
"""Of one migration: the ledger keeps them with the release."""


def load_revisions(app_dir: Path) -> tuple[Revision, ...]:
    """Every migration of `app_dir` with what the lint found in it, oldest first; () without an alembic.ini.

    UsageError, all faults at once: several heads, no or an unknown `phase`. What the lint found is refused where it is about to run.
    """
    ini = app_dir / "alembic.ini"
    if not ini.is_file():
        return ()
    migrations = render_migrations(ini)
    want = 'want phase = "expand", phase = "backfill" or phase = "contract"'
    if unknown := [f"{item.file}: phase is {item.phase!r}" for item in migrations if item.phase not in PHASES]:
        raise UsageError(f"{'; '.join(unknown)}, {want}", where=str(app_dir))
    return tuple(
        Revision(
            id=item.id,
            phase=MigrationPhase(item.phase),
            faults=tuple(f"{item.file}:{found.line}: {found.rule}: {found.text}" for found in findings[:MOST_FAULTS]),
        )
        for item, findings in zip(migrations, lint_migrations(migrations), strict=True)
    )


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
