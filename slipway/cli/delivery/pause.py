"""`slipway pause`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import BecauseOption, EnvironmentArgument, JsonOption
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def pause(
    context: typer.Context,
    environment: EnvironmentArgument,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """Hold the traffic of the release under way where it is, until `continue`. A bad release is turned back meanwhile."""
    from slipway import delivery  # noqa: PLC0415

    print_outcome(delivery.pause(options.connect(session_of(context), environment), because=because), json=json)
