"""Finds the Pulumi CLI."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from slipway.errors import MachineError


def find_cli(command: str | None = None) -> Path:
    """The `pulumi` executable: `command` if given, else `SLIPWAY_TESTING_PULUMI`, else the one on PATH."""
    wanted = command or os.environ.get("SLIPWAY_TESTING_PULUMI") or "pulumi"
    found = shutil.which(wanted)
    if found is None:
        raise MachineError(
            f"the Pulumi CLI is needed to run component tests, and {wanted!r} is not an executable on PATH",
            remedy="install it (https://www.pulumi.com/docs/install/), or set SLIPWAY_TESTING_PULUMI or the pytest option "
            "`slipway_pulumi` to its path",
        )
    return Path(found).resolve()
