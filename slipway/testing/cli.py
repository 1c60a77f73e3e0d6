"""Finds the Pulumi CLI."""

from __future__ import annotations

import os
from pathlib import Path

from slipway.errors import MachineError
from slipway.stack import find_cli as find_fitting_cli


def find_cli(command: str | None = None) -> Path:
    """The `pulumi` executable: `command` if given, else `SLIPWAY_TESTING_PULUMI`, else the one on PATH."""
    wanted = command or os.environ.get("SLIPWAY_TESTING_PULUMI") or "pulumi"
    try:
        return Path(find_fitting_cli(wanted).program).resolve()
    except MachineError as error:
        raise MachineError(
            f"component tests need the Pulumi CLI: {error.what}",
            where=error.where or wanted,
            remedy="install it (https://www.pulumi.com/docs/install/), build one with `slipway sandbox pulumi`, or name one by "
            "SLIPWAY_TESTING_PULUMI or the pytest option `slipway_pulumi`",
        ) from error
