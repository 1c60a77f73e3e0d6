"""What the verbs of delivery share: arguments, options, and the context that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.rollout_display import RolloutDisplay
from slipway.cli.session import Session

if TYPE_CHECKING:
    from slipway.delivery import Context, Pace

EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="dev, staging, prod: a stack file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]
ForceOption = Annotated[
    bool,
    typer.Option(
        help="Override gates; wants --because. These cannot be overridden: image, migrations, schema, pending-contract, backfill, verdict, "
        "gone-back, and upstream but for a rollback where releases are built."
    ),
]
BecauseOption = Annotated[str, typer.Option(help="Reason; kept in the ledger, with who gave it.")]
WaitOption = Annotated[
    float, typer.Option("--wait", min=0, max=86_400, help="Seconds to wait for another release to end here.")
]
SupersedeOption = Annotated[
    bool,
    typer.Option(
        "--supersede",
        help="Turn a release that is under way here back first, instead of refusing. Its image is not rejected.",
    ),
]
BakeOption = Annotated[float | None, typer.Option("--bake", help="Seconds at each step, instead of the stack's.")]
WindowOption = Annotated[float | None, typer.Option("--window", help="Seconds of metrics that each check looks at.")]

MinimumOption = Annotated[
    int | None, typer.Option("--minimum-requests", help="Requests that each check needs, instead of the stack's.")
]


def connect(session: Session, environment: str, *, wait: float = 0) -> Context:
    """What a verb needs of one environment."""
    from slipway.delivery.wiring import build_context  # noqa: PLC0415

    return build_context(
        session.require_project(),
        environment,
        stack=session.stack(environment),
        progress=RolloutDisplay(verbose=session.verbose),
        lease_wait_seconds=wait,
        cadence=session.cadence,
    )


def pace(bake: float | None, window: float | None, minimum_requests: int | None) -> Pace | None:
    """What the command line says instead of the stack; None: nothing."""
    from slipway.delivery import Pace  # noqa: PLC0415

    if bake is None and window is None and minimum_requests is None:
        return None
    # Judged about five times in a bake: often enough to see a bad release early, seldom enough to have new numbers.
    interval = None if bake is None else max(bake / 5, 1.0)
    return Pace(
        bake_seconds=bake,
        metric_window_seconds=window,
        analysis_interval_seconds=interval,
        minimum_requests=minimum_requests,
    )
