"""`slipway abort`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, EnvironmentArgument, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def abort(
    context: typer.Context,
    environment: EnvironmentArgument,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """Roll back the rollout under way within seconds, whether the process that runs it is alive or not."""
    from slipway import delivery  # noqa: PLC0415

    print_outcome(delivery.abort(options.connect(session_of(context), environment), because=because), json=json)
