"""`slipway backfill`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import EnvironmentArgument, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def backfill(context: typer.Context, environment: EnvironmentArgument, json: JsonOption = False) -> None:
    """Wait until the backfills of the live release are complete. Others can release meanwhile."""
    from slipway import delivery  # noqa: PLC0415

    print_outcome(delivery.backfill(options.connect(session_of(context), environment)), json=json)
