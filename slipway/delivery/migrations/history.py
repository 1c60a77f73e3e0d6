"""Reads the service's migrations with Alembic's own ScriptDirectory, and refuses what could not be delivered safely."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from slipway.delivery.migrations.lint import lint_revision
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.errors import UsageError


def load_revisions(app_dir: Path) -> tuple[Revision, ...]:
    """Every migration of `app_dir`, oldest first; () without an alembic.ini.

    UsageError, all faults at once: several heads, no or an unknown `phase`, an expand migration that the old release cannot live with.
    """
    ini = app_dir / "alembic.ini"
    if not ini.is_file():
        return ()
    try:
        config = Config(str(ini.resolve()))
        # Alembic resolves a relative script_location against the current folder, which is not the app's here.
        location = config.get_main_option("script_location") or ""
        if location and not Path(location).is_absolute():
            config.set_main_option("script_location", str(app_dir.resolve() / location))
        # Reading migrations must not put the app on this process' import path; its env.py, which needs it, is not run here.
        config.remove_main_option("prepend_sys_path")
        scripts = ScriptDirectory.from_config(config)
        heads = scripts.get_heads()
        walked = list(reversed(list(scripts.walk_revisions())))
    except CommandError as error:
        raise UsageError(f"the migrations cannot be read: {error}", where=str(ini)) from None
    if len(heads) > 1:
        raise UsageError(
            f"the migrations have {len(heads)} heads: {', '.join(sorted(heads))}",
            where=str(ini),
            remedy="merge them: alembic merge heads",
        )
    faults: list[str] = []
    revisions: list[Revision] = []
    tables_made: set[str] = set()
    for script in walked:
        phase = getattr(script.module, "phase", None)
        name = Path(script.path).name
        if phase not in {item.value for item in MigrationPhase}:
            faults.append(f'{name}: phase is {phase!r}, want phase = "expand" or phase = "contract"')
            continue
        revision = Revision(id=script.revision, phase=MigrationPhase(phase))
        revisions.append(revision)
        findings = lint_revision(Path(script.path).read_text(), revision.phase, tables_made)
        faults += [f"{name}:{finding.line}: {finding.text}" for finding in findings]
    if faults:
        raise UsageError(
            "; ".join(faults), where=str(app_dir), remedy="split the migration: expand now, contract after the release"
        )
    return tuple(revisions)
