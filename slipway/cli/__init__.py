"""The `slipway` command: thin over the stack, delivery and the sandbox."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command line; every failure is one message and a documented exit code."""
    _keep_bytecode()
    # Imported late: `slipway --version` and shell completion must not wait for cloud SDKs.
    from slipway.cli.app import run  # noqa: PLC0415

    run()


def _keep_bytecode() -> None:
    """Where Python is told to write no bytecode, keep it outside the clone: compiling the SDKs costs 2 s a command, and as much in a
    policy pack, which is a process of its own."""
    if sys.dont_write_bytecode:
        from slipway.sandbox.paths import SandboxPaths  # noqa: PLC0415

        folder: Path = SandboxPaths.from_environment().cache / "bytecode"
        sys.pycache_prefix = str(folder)
        sys.dont_write_bytecode = False
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
