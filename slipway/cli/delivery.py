"""The verbs of delivery: release, promote, rollback, resume, abort, lift, retire, contract, forget, status, history, judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipway.cli.asking import YesOption, confirm
from slipway.cli.output import out, print_json
from slipway.cli.rollout_display import RolloutDisplay
from slipway.cli.session import Session, session_of

if TYPE_CHECKING:
    from slipway.delivery import Context, Outcome, Pace
    from slipway.delivery.planning import Plan

PANEL = "Releases"

EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="dev, staging, prod: a stack file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]
ForceOption = Annotated[
    bool,
    typer.Option(
        help="Override freeze windows, rejections, order, the rollback window and the program check; wants --because. "
        "Checks of schema, image and verification cannot be overridden."
    ),
]
BecauseOption = Annotated[str, typer.Option(help="Reason; kept in the ledger, with who gave it.")]
WaitOption = Annotated[
    float, typer.Option("--wait", min=0, max=86_400, help="Seconds to wait for another release to end here.")
]
BakeOption = Annotated[float | None, typer.Option("--bake", help="Seconds at each step, instead of the stack's.")]
WindowOption = Annotated[float | None, typer.Option("--window", help="Seconds of metrics that each check looks at.")]

MinimumOption = Annotated[
    int | None, typer.Option("--minimum-requests", help="Requests that each check needs, instead of the stack's.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for verb in (
        release,
        promote,
        rollback,
        resume,
        abort,
        lift,
        retire,
        contract,
        forget,
        status,
        history,
        judge,
    ):
        app.command(rich_help_panel=PANEL)(verb)


def release(
    context: typer.Context,
    environment: EnvironmentArgument,
    json: JsonOption = False,
    dry_run: DryRunOption = False,
    force: ForceOption = False,
    because: BecauseOption = "",
    wait: WaitOption = 0,
    bake: BakeOption = None,
    window: WindowOption = None,
    minimum_requests: MinimumOption = None,
) -> None:
    """Build the checkout once and bring it to 100 % of the traffic, step by step. A bad release is rolled back (exit 10)."""
    from slipway import delivery  # noqa: PLC0415

    outcome = delivery.release(
        connect(session_of(context), environment, wait=wait),
        force=force,
        because=because,
        pace=_pace(bake, window, minimum_requests),
        dry_run=dry_run,
    )
    _print(outcome, json=json)


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
    bake: BakeOption = None,
    window: WindowOption = None,
    minimum_requests: MinimumOption = None,
) -> None:
    """Bring the release that FROM verified to TO, by digest."""
    from slipway import delivery  # noqa: PLC0415

    session = session_of(context)
    session.require_stack(source)
    outcome = delivery.promote(
        connect(session, environment, wait=wait),
        source,
        release_id=release_id,
        force=force,
        because=because,
        pace=_pace(bake, window, minimum_requests),
        dry_run=dry_run,
    )
    _print(outcome, json=json)


def rollback(
    context: typer.Context,
    environment: EnvironmentArgument,
    to: Annotated[str | None, typer.Option(help="Release to go back to; by default the one before.")] = None,
    because: BecauseOption = "",
    json: JsonOption = False,
    dry_run: DryRunOption = False,
    force: ForceOption = False,
) -> None:
    """Roll back to an older release: within seconds if the old colour still runs. The image of the abandoned release is rejected."""
    from slipway import delivery  # noqa: PLC0415

    context_ = connect(session_of(context), environment)
    _print(delivery.rollback(context_, to, because=because, force=force, dry_run=dry_run), json=json)


def resume(
    context: typer.Context,
    environment: EnvironmentArgument,
    force: ForceOption = False,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """Finish a rollout that a dead process left half-way."""
    from slipway import delivery  # noqa: PLC0415

    _print(delivery.resume(connect(session_of(context), environment), force=force, because=because), json=json)


def abort(
    context: typer.Context,
    environment: EnvironmentArgument,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """Roll back the rollout under way: traffic first, then the rest."""
    from slipway import delivery  # noqa: PLC0415

    _print(delivery.abort(connect(session_of(context), environment), because=because), json=json)


def lift(
    context: typer.Context,
    environment: EnvironmentArgument,
    because: Annotated[str, typer.Option(help="Reason; kept in the ledger, with who gave it.")],
    release: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="Not needed where only one is rejected.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Lift the rejection of a release's image, so that it may be released and promoted again."""
    from slipway import delivery  # noqa: PLC0415

    _print(delivery.lift(connect(session_of(context), environment), release, because=because), json=json)


def retire(
    context: typer.Context,
    environment: EnvironmentArgument,
    force: ForceOption = False,
    because: BecauseOption = "",
    json: JsonOption = False,
) -> None:
    """Remove the old colour, once its rollback window has closed."""
    from slipway import delivery  # noqa: PLC0415

    _print(delivery.retire(connect(session_of(context), environment), force=force, because=because), json=json)


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

    context_ = connect(session_of(context), environment)
    _print(delivery.contract(context_, force=force, because=because, dry_run=dry_run), json=json)


def forget(context: typer.Context, environment: EnvironmentArgument, yes: YesOption = False) -> None:
    """Clear the ledger's entry of an environment that `pulumi destroy` deleted. `slipway destroy` does this itself."""
    from slipway import delivery  # noqa: PLC0415

    confirm(f"Forget what the ledger says of {environment}?", yes=yes)
    beliefs = delivery.forget_destroyed(connect(session_of(context), environment)).texts
    for text in beliefs:
        out().print(f"{environment}: forgotten: {text}", markup=False)
    if not beliefs:
        out().print(f"{environment}: there was nothing to forget", markup=False)


def status(
    context: typer.Context,
    environment: Annotated[
        str, typer.Argument(metavar="ENVIRONMENT", help="Environment whose ledger is read.")
    ] = "dev",
    json: JsonOption = False,
) -> None:
    """Show every environment: what runs, how traffic is divided, what is under way."""
    from slipway import delivery  # noqa: PLC0415

    places = delivery.status(connect(session_of(context), environment))
    if json:
        print_json(delivery.as_json(places))
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table("environment", "colour", "version", "release", "wanted", "actual", "healthy", "state", box=None)
    for place in places:
        for colour, row in place.colours.items():
            running = row.running
            state = "live" if row.live else "warm" if row.warm else ""
            table.add_row(
                place.environment,
                colour.value,
                running.version if running else "-",
                running.release if running else "-",
                f"{row.wanted_percent} %",
                "?" if row.actual_percent is None else f"{row.actual_percent} %",
                "?" if row.healthy is None else str(row.healthy),
                state,
            )
    out().print(table if places else "nothing was released yet: slipway release dev")
    for place in places:
        _print_remarks(place)


def _print_remarks(place: Any) -> None:
    remarks = {
        "under way": place.rollout and f"{place.rollout.kind.value} {place.rollout.phase.value}",
        "busy": place.lease,
        "rejected": "; ".join(f"{each.rejected.release} ({each.rejected.because})" for each in place.rejected),
        "contract migrations pending": ", ".join(place.pending_contract),
        "load balancer": place.problem,
    }
    for what, text in remarks.items():
        if text:
            out().print(f"{place.environment}: {what}: {text}", markup=False)


def history(
    context: typer.Context,
    environment: EnvironmentArgument,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    json: JsonOption = False,
) -> None:
    """Show the rollouts that have ended, newest first."""
    from slipway import delivery  # noqa: PLC0415

    rollouts = delivery.history(connect(session_of(context), environment), limit)
    if json:
        print_json(delivery.as_json(rollouts))
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table("started", "kind", "version", "release", "ended", "reason", "by", box=None)
    for rollout in rollouts:
        candidate = rollout.candidate
        table.add_row(
            f"{rollout.started_at:%Y-%m-%d %H:%M:%S}",
            rollout.kind.value,
            candidate.version if candidate else "-",
            candidate.release if candidate else "-",
            rollout.phase.value,
            rollout.reason_text,
            rollout.actor,
        )
    out().print(table)


def judge(
    context: typer.Context,
    environment: EnvironmentArgument,
    replay: Annotated[bool, typer.Option("--replay", help="Show every look that was kept, not only the last.")] = False,
    rollout: Annotated[str | None, typer.Option(help="An earlier rollout, by its id in `history --json`.")] = None,
    json: JsonOption = False,
) -> None:
    """Judge the newest rollout again, from the measurements kept with it: what each look saw, and what follows from it."""
    from slipway import delivery  # noqa: PLC0415

    found = delivery.judgements(connect(session_of(context), environment), rollout)
    looks = found if replay else found[-1:]
    if json:
        print_json(delivery.as_json(looks))
        return
    for measured, verdict in looks:
        then = "" if verdict.kind is measured.verdict else f" (then: {measured.verdict})"
        look = f"{measured.at:%Y-%m-%d %H:%M:%S} step {measured.step + 1} after {measured.seconds:.0f} s"
        out().print(f"{look}: {verdict.kind}{then}: {verdict.text}", markup=False)
    if not looks:
        out().print(f"{environment}: nothing was analysed", markup=False)


def connect(session: Session, environment: str, *, wait: float = 0) -> Context:
    from slipway.delivery.wiring import build_context  # noqa: PLC0415

    return build_context(
        session.require_project(),
        environment,
        stack=session.stack(environment),
        progress=RolloutDisplay(verbose=session.verbose),
        lease_wait_seconds=wait,
    )


def _pace(bake: float | None, window: float | None, minimum_requests: int | None) -> Pace | None:
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


def _print(outcome: Outcome, *, json: bool) -> None:
    from slipway import delivery  # noqa: PLC0415

    if json:
        print_json(delivery.as_json(outcome))
        return
    out().print(outcome.text, markup=False)
    if outcome.plan:
        for line in plan_lines(outcome.plan):
            out().print(f"  {line}", markup=False)


def plan_lines(plan: Plan) -> list[str]:
    """The result of a dry run, one fact a line."""
    migrations = plan.migrations
    ids = [revision.id for revision in (*migrations.first, *migrations.expand)]
    later = [revision.id for revision in migrations.contract]
    changes = [f"{count} to {op}" for op, count in sorted(plan.changes.items()) if op != "same"]
    shares = [f"{step.percent} %" for step in plan.steps]
    return [
        f"{plan.colour.value} takes the traffic: {' → '.join(shares) or 'in one step'}",
        f"migrations: {', '.join(ids) or 'none'}" + (f"; after it, by `contract`: {', '.join(later)}" if later else ""),
        f"infrastructure: {', '.join(changes) or 'no changes'}",
        *(f"refused ({refusal.gate}): {refusal.text} → {refusal.remedy}" for refusal in plan.refusals),
    ]
