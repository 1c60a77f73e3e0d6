"""The Pulumi CLI of the sandbox: the machine's own if its version fits, else one that is built from its Go module."""

from __future__ import annotations

import os
from pathlib import Path

from slipway.errors import MachineError
from slipway.sandbox.go_programs import PULUMI, Binaries
from slipway.sandbox.go_programs.links import link_programs
from slipway.sandbox.go_programs.toolchain import Progress
from slipway.sandbox.paths import SandboxPaths
from slipway.stack.cli import find_cli


def machines_cli(paths: SandboxPaths) -> Path | None:
    """The `pulumi` that the user has on PATH; None if there is none or its version does not fit."""
    ours = str(paths.programs)
    path = os.pathsep.join(folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder != ours)
    try:
        return Path(find_cli(path=path, cache=paths.cache).program)
    except MachineError:
        return None


def have_cli(paths: SandboxPaths, progress: Progress | None = None) -> Path:
    """The CLI to use; built if the machine has none. From nothing this takes about 3 minutes on 2 cores."""
    own = machines_cli(paths)
    if own is not None:
        return own
    binaries = Binaries(paths)
    binaries.prepare(progress, only=(PULUMI,))
    return binaries.path("pulumi")


def install_cli(paths: SandboxPaths, progress: Progress | None = None) -> None:
    """Have a CLI, and put a built one under its name into the sandbox's folder of programs.

    The CLI follows the link when it looks for a language host, which lies in the folder of the executable itself.
    """
    cli = have_cli(paths, progress)
    if cli.is_relative_to(paths.cache):
        link_programs(paths, cli)
    else:
        (paths.programs / "pulumi").unlink(missing_ok=True)
