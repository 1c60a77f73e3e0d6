"""`slipway approve`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, EnvironmentArgument, ForceOption, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def approve(
    context: typer.Context,
    environment: EnvironmentArgument,
    force: ForceOption = False,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """Let the traffic go to the step that waits for an approval (`approval: true` in the stack file)."""
    from slipway import delivery  # noqa: PLC0415

    context_ = options.connect(session_of(context), environment)
    print_outcome(delivery.approve(context_, because=because, force=force), json=json)
