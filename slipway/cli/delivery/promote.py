"""`slipway promote`."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.delivery import options
from slipway.cli.delivery.options import (
    BakeOption,
    BecauseOption,
    DryRunOption,
    ForceOption,
    JsonOption,
    MinimumOption,
    SupersedeOption,
    WaitOption,
    WindowOption,
)
from slipway.cli.delivery.outcome import print_outcome
from slipway.cli.session import session_of


def promote(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="Environment that verified the release.")],
    environment: Annotated[str, typer.Argument(metavar="TO", help="Environment that gets it.")],
    release_id: Annotated[
        str | None, typer.Option("--release", help="Another release than the live one of FROM.")
    ] = None,
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
    """Bring the release that FROM verified to TO, by digest."""
    from slipway import delivery  # noqa: PLC0415

    session = session_of(context)
    session.require_stack(source)
    outcome = delivery.promote(
        options.connect(session, environment, wait=wait),
        source,
        release_id=release_id,
        force=force,
        because=because,
        pace=options.pace(bake, window, minimum_requests),
        dry_run=dry_run,
        supersede=supersede,
    )
    print_outcome(outcome, json=json)
