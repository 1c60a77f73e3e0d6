"""`slipway contract`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, DryRunOption, EnvironmentArgument, ForceOption, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def contract(
    context: typer.Context,
    environment: EnvironmentArgument,
    force: ForceOption = False,
    because: BecauseOption = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Run the contract migrations of the live release, once no older code can come back."""
    from slipway import delivery  # noqa: PLC0415

    context_ = options.connect(session_of(context), environment)
    print_outcome(delivery.contract(context_, force=force, because=because, dry_run=dry_run), json=json)
