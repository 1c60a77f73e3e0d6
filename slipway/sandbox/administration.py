"""Administrative commands: one that fails says what it said."""

from __future__ import annotations

import subprocess

from slipway.errors import MachineError, OperationError

COMMAND_TIMEOUT_SECONDS = 30


def run(*argv: str, check: bool = True, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command with `text` as its input; raises OperationError with what it said, MachineError when it is not installed."""
    try:
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise MachineError(f"{argv[0]} is not installed", remedy=f"Install the package that has {argv[0]}.") from error
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"`{' '.join(argv)}` did not end within {COMMAND_TIMEOUT_SECONDS} s") from error
    if check and done.returncode != 0:
        raise OperationError(f"`{' '.join(argv)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done
