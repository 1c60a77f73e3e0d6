"""`slipway release`."""

from __future__ import annotations

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import (
    BakeOption,
    BecauseOption,
    DryRunOption,
    EnvironmentArgument,
    ForceOption,
    JsonOption,
    MinimumOption,
    SupersedeOption,
    WaitOption,
    WindowOption,
)
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def release(
    context: typer.Context,
    environment: EnvironmentArgument,
    json: JsonOption = False,
    dry_run: DryRunOption = False,
    force: ForceOption = False,
    because: BecauseOption = "",
    wait: WaitOption = 0,
    supersede: SupersedeOption = False,
    bake: BakeOption = None,
    window: WindowOption = None,
    minimum_requests: MinimumOption = None,
) -> None:
    """Build the checkout once and bring it to 100 % of the traffic, step by step. A bad release is rolled back (exit 10)."""
    from slipway import delivery  # noqa: PLC0415

    outcome = delivery.release(
        options.connect(session_of(context), environment, wait=wait),
        force=force,
        because=because,
        pace=options.pace(bake, window, minimum_requests),
        dry_run=dry_run,
        supersede=supersede,
    )
    print_outcome(outcome, json=json)
