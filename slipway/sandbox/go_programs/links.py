"""Built programs by their own names, for a PATH."""

from __future__ import annotations

from pathlib import Path

from slipway.sandbox.paths import SandboxPaths


def link_programs(paths: SandboxPaths, *programs: Path) -> None:
    """Put programs into that folder, by their own names."""
    folder = paths.programs
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs:
        link = folder / program.name
        temporary = link.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(program)
        temporary.replace(link)
