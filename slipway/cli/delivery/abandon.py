"""`slipway abandon`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, EnvironmentArgument, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def abandon(
    context: typer.Context,
    environment: EnvironmentArgument,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """End the rollout under way in any phase, when `abort` and `resume` cannot. What is left undone is owed: see `status`."""
    from slipway import delivery  # noqa: PLC0415

    print_outcome(delivery.abandon(options.connect(session_of(context), environment), because=because), json=json)
