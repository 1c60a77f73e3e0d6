"""`slipway rehearse`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, DryRunOption, EnvironmentArgument, JsonOption, WaitOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def rehearse(
    context: typer.Context,
    environment: EnvironmentArgument,
    because: BecauseOption = "",
    json: JsonOption = False,
    dry_run: DryRunOption = False,
    wait: WaitOption = 0,
) -> None:
    """Roll back to the old colour and forward again, and keep how long each way took. What is live stays live."""
    from slipway import delivery  # noqa: PLC0415

    context_ = options.connect(session_of(context), environment, wait=wait)
    print_outcome(delivery.rehearse(context_, because=because, dry_run=dry_run), json=json)
