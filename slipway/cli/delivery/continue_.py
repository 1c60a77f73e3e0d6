"""`slipway continue`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, EnvironmentArgument, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def continue_(
    context: typer.Context,
    environment: EnvironmentArgument,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """End a pause: the rollout goes on with what was left of its bake."""
    from slipway import delivery  # noqa: PLC0415

    print_outcome(delivery.continue_(options.connect(session_of(context), environment), because=because), json=json)
