"""Programs by their own names, for the sandbox's PATH."""

from __future__ import annotations

import shlex
import sys
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


def write_aws(paths: SandboxPaths, get_token: Path) -> None:
    """An `aws` that answers `eks get-token` by the script, and is the AWS CLI beside this Python for everything else."""
    aws = Path(sys.executable).with_name("aws")
    command = paths.programs / "aws"
    temporary = command.with_suffix(".tmp")
    temporary.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", "-S", str(get_token), str(aws)])} "$@"\n')
    temporary.chmod(0o755)
    temporary.replace(command)
