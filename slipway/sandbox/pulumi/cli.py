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


def install_cli(paths: SandboxPaths, progress: Progress | None = None) -> Path:
    """Have a CLI, built if need be, under its name in the sandbox's folder of programs; the CLI that is used.

    The link is followed by the CLI when it looks for a language host, which lies beside the executable itself.
    """
    own = machines_cli(paths)
    link = paths.programs / "pulumi"
    if own is not None:
        link.unlink(missing_ok=True)
        return own
    binaries = Binaries(paths)
    binaries.prepare(progress, only=(PULUMI,))
    link_programs(paths, binaries.path("pulumi"))
    return binaries.path("pulumi")
