"""Reads the service's migrations with Alembic, and refuses what could not be delivered safely."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from slipway.delivery.migrations.lint import lint_migrations
from slipway.delivery.migrations.rendered import Rendered
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
    rendered = render_migrations(ini)
    if rendered.error:
        raise UsageError(f"the migrations cannot be read: {rendered.error}", where=str(ini))
    if len(rendered.heads) > 1:
        raise UsageError(
            f"the migrations have {len(rendered.heads)} heads: {', '.join(rendered.heads)}",
            where=str(ini),
            remedy="merge them: alembic merge heads",
        )
    faults: list[str] = []
    for migration, findings in zip(rendered.migrations, lint_migrations(rendered.migrations), strict=True):
        if migration.phase not in PHASES:
            faults.append(
                f'{migration.file}: phase is {migration.phase!r}, want phase = "expand" or phase = "contract"'
            )
            continue
        faults += [f"{migration.file}:{finding.line}: {finding.rule}: {finding.text}" for finding in findings]
    if faults:
        raise UsageError(
            "; ".join(faults), where=str(app_dir), remedy="docs/migrations.md has a way that passes for each rule"
        )
    return tuple(Revision(id=item.id, phase=MigrationPhase(item.phase)) for item in rendered.migrations)


def render_migrations(ini: Path) -> Rendered:
    # As a file, not as a module: the package's own imports would take longer than the work.
    argv = [sys.executable, "-P", str(Path(__file__).with_name("offline.py")), str(ini)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=RENDER_TIMEOUT_SECONDS, check=False)
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        return Rendered(error=last or f"the reader ended with {done.returncode}")
    return Rendered.model_validate_json(done.stdout)
