"""The verbs of delivery, for the command line and for programs: release, promote, rollback, resume, abort, retire, contract.

Each takes a `Context`, holds the environment's lease while it works, and first finishes what a dead process left behind.
"""

from __future__ import annotations

from slipway.delivery.conducting import (
    Outcome,
    bring_up,
    conclude,
    find_refusals,
    finish_unfinished,
    known_target,
    live_release,
    pass_gates,
    refuse_open_window,
    refuse_repeated,
    require_target,
    roll_out,
    run,
    run_contract,
    settings_of,
)
from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.schema import MigrationPlan, plan_migrations
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.planning import (
    Plan,
    as_colour_release,
    begin_rollout,
    build_release,
    choose_rollback,
    choose_steps,
    find_contract,
)
from slipway.delivery.ports import Context, Place
from slipway.errors import NotFoundError, UsageError

ABORT_WAIT_SECONDS = 300.0
"""How long `abort` waits for a running owner to bring the traffic back before it gives up."""
HISTORY_DEPTH = 50


def release(ctx: Context, *, force: bool = False, pace: Pace | None = None, dry_run: bool = False) -> Outcome:
    """Build a release from the checkout and bring it to 100 % here. Raises ReleaseRolledBackError when it proves bad."""
    if dry_run:
        return _plan_release(ctx, pace)
    with hold_lease(ctx, f"slipway release {ctx.place.environment}") as keeper:
        resumed = finish_unfinished(ctx, keeper)
        target = bring_up(ctx)
        made = ctx.ledger.put_release(_make_release(ctx, target))
        refuse_repeated(resumed, made)
        return roll_out(ctx, keeper, target, made, promoted_from=None, force=force, pace=pace)


def promote(
    ctx: Context,
    from_environment: str,
    *,
    release_id: str | None = None,
    force: bool = False,
    pace: Pace | None = None,
    dry_run: bool = False,
) -> Outcome:
    """Bring the release that is live in `from_environment` (or `release_id`) to 100 % here: the same object, by digest."""
    upstream = Place(environment=from_environment, service=ctx.place.service)
    chosen = ctx.ledger.release(ctx.place.service, release_id or live_release(ctx, upstream))
    known = known_target(ctx)
    early = find_refusals(ctx, known, chosen, Kind.RELEASE, promote_from=from_environment)
    if dry_run:
        wanted = ctx.ledger.wanted(ctx.place)
        settings = settings_of(known, pace) if known else RolloutSettings()
        plan = Plan(
            kind=Kind.RELEASE,
            release=chosen,
            colour=wanted.idle,
            steps=choose_steps(Kind.RELEASE, wanted, settings),
            migrations=plan_migrations(chosen, ctx.ledger.schema(ctx.place)),
            refusals=early,
            changes=ctx.stack.preview().changes,
        )
        return Outcome(
            status="planned", text=f"would promote {chosen.id} to {ctx.place.environment}", release=chosen, plan=plan
        )
    with hold_lease(ctx, f"slipway promote {from_environment} {ctx.place.environment}") as keeper:
        resumed = finish_unfinished(ctx, keeper)
        # Before anything is built here: a refused promotion must not even touch the infrastructure.
        pass_gates(ctx, tuple(refusal for refusal in early if refusal.gate != "pending-contract"), force=force)
        refuse_repeated(resumed, chosen)
        target = bring_up(ctx)
        return roll_out(ctx, keeper, target, chosen, promoted_from=from_environment, force=force, pace=pace)


def rollback(
    ctx: Context,
    to: str | None = None,
    *,
    because: str = "",
    force: bool = False,
    pace: Pace | None = None,
    dry_run: bool = False,
) -> Outcome:
    """Bring traffic back: to the warm old colour at once, or to release `to` (or the newest that fits the schema) by deploying it.

    A rollout under way is turned back instead. The release rolled away from is put on hold here.
    """
    under_way = ctx.ledger.rollout(ctx.place)
    if under_way and not under_way.phase.ended and under_way.kind is Kind.RELEASE and to is None and not dry_run:
        return abort(ctx, because=because)
    with hold_lease(ctx, f"slipway rollback {ctx.place.environment}") as keeper:
        resumed = None if dry_run else finish_unfinished(ctx, keeper)
        if resumed and resumed.kind in {Kind.SWITCH, Kind.ROLLBACK} and to in {None, _release_of(resumed)}:
            # It was this very rollback that a dead process had begun: going back once more would undo it.
            return conclude(resumed, None)
        wanted, target = ctx.ledger.wanted(ctx.place), known_target(ctx)
        if wanted.live is None or target is None:
            raise UsageError(
                "nothing is live here",
                where=str(ctx.place),
                remedy=f"release something first: `slipway release {ctx.place.environment}`",
            )
        warm = wanted.colour(wanted.idle)
        chosen = _choose_rollback(ctx, wanted, to)
        kind = Kind.SWITCH if warm and warm.release == chosen.id else Kind.ROLLBACK
        refusals = find_refusals(ctx, target, chosen, kind, promote_from=None)
        settings = settings_of(target, pace)
        if dry_run:
            plan = Plan(
                kind=kind,
                release=chosen,
                colour=wanted.idle,
                steps=choose_steps(kind, wanted, settings),
                refusals=refusals,
            )
            return Outcome(status="planned", text=f"would go back to {chosen.id} ({kind})", release=chosen, plan=plan)
        pass_gates(ctx, refusals, force=force)
        rollout = begin_rollout(
            kind=kind,
            place=ctx.place,
            actor=f"{ctx.owner.name}{': ' + because if because else ''}",
            now=ctx.clock.now(),
            wanted=wanted,
            candidate=as_colour_release(chosen),
            settings=settings,
            forced=refusals,
        )
        return run(ctx, keeper, target, rollout, chosen)


def resume(ctx: Context) -> Outcome:
    """Continue what a dead process left behind; UNCHANGED when nothing is under way."""
    with hold_lease(ctx, f"slipway resume {ctx.place.environment}") as keeper:
        resumed = finish_unfinished(ctx, keeper)
        if resumed is None:
            return Outcome(status="unchanged", text=f"no rollout of {ctx.place} is under way")
        return conclude(resumed, None)


def abort(ctx: Context, *, because: str = "") -> Outcome:
    """Turn the rollout under way back, whoever runs it; if its owner is dead, do it here."""
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is None or rollout.phase.ended:
        raise NotFoundError(
            f"no rollout of {ctx.place} is under way",
            remedy=f"`slipway rollback {ctx.place.environment}` goes back from a finished one",
        )
    ctx.ledger.request_abort(ctx.place, rollout.id, f"aborted by {ctx.owner.name}{': ' + because if because else ''}")
    with hold_lease(
        ctx, f"slipway abort {ctx.place.environment}", wait_seconds=max(ctx.lease_wait_seconds, ABORT_WAIT_SECONDS)
    ) as keeper:
        ended = finish_unfinished(ctx, keeper) or ctx.ledger.rollout(ctx.place)
    if ended and ended.phase is Phase.ROLLED_BACK:
        return Outcome(status="rolled-back", text=f"rolled back: {ended.reason_text}", rollout=ended)
    return Outcome(
        status="completed",
        text="it was past the point of turning back and has completed; use `slipway rollback`",
        rollout=ended,
    )


def retire(ctx: Context, *, force: bool = False) -> Outcome:
    """Take the warm old colour away once its rollback window is closed (or with `force`)."""
    with hold_lease(ctx, f"slipway retire {ctx.place.environment}") as keeper:
        finish_unfinished(ctx, keeper)
        target = require_target(ctx)
        wanted = ctx.ledger.wanted(ctx.place)
        if wanted.live is None or wanted.colour(wanted.idle) is None:
            return Outcome(status="unchanged", text="no old colour is kept warm")
        refuse_open_window(ctx, wanted, target, force=force)
        rollout = begin_rollout(
            kind=Kind.RETIRE,
            place=ctx.place,
            actor=ctx.owner.name,
            now=ctx.clock.now(),
            wanted=wanted,
            candidate=None,
            settings=target.rollout,
        )
        return run(ctx, keeper, target, rollout, None)


def contract(ctx: Context, *, force: bool = False, dry_run: bool = False) -> Outcome:
    """Run the live release's contract migrations; the warm old colour, which may not know them, goes away first."""
    with hold_lease(ctx, f"slipway contract {ctx.place.environment}") as keeper:
        if not dry_run:
            finish_unfinished(ctx, keeper)
        target = require_target(ctx)
        live = ctx.ledger.release(ctx.place.service, live_release(ctx, ctx.place))
        pending = find_contract(live, ctx.ledger.schema(ctx.place))
        if dry_run:
            plan = Plan(
                kind=Kind.CONTRACT,
                release=live,
                colour=ctx.ledger.wanted(ctx.place).idle,
                migrations=MigrationPlan(contract=pending),
            )
            return Outcome(
                status="planned", text=f"would run {len(pending)} contract migrations", release=live, plan=plan
            )
        if not pending:
            return Outcome(status="unchanged", text="no contract migration is pending", release=live)
        return run_contract(ctx, keeper, target, live, force=force)


def _make_release(ctx: Context, target: Target) -> Release:
    if target.rollout.promote_from is not None:
        raise UsageError(
            f"{target.environment} takes releases from {target.rollout.promote_from} only",
            where=str(ctx.place),
            remedy=f"run `slipway promote {target.rollout.promote_from} {target.environment}`",
        )
    if target.image is None:
        raise UsageError(
            f"the stack {target.environment} builds no image",
            where="delivery.image",
            remedy="set the build context in the stack file",
        )
    return build_release(ctx.place.service, target.image.reference, ctx.source.facts(), ctx.clock.now())


def _plan_release(ctx: Context, pace: Pace | None) -> Outcome:
    """The plan of a release whose image is not built: gates of the checkout, steps, migrations, the stack's changes."""
    wanted, target = ctx.ledger.wanted(ctx.place), known_target(ctx)
    changes = ctx.stack.preview().changes
    facts = ctx.source.facts()
    settings = settings_of(target, pace) if target else RolloutSettings()
    image = target.image.reference if target and target.image else f"{ctx.place.service}@sha256:{'0' * 64}"
    draft = build_release(ctx.place.service, image, facts, ctx.clock.now())
    plan = Plan(
        kind=Kind.RELEASE,
        release=draft,
        colour=wanted.idle,
        steps=choose_steps(Kind.RELEASE, wanted, settings),
        migrations=plan_migrations(draft, ctx.ledger.schema(ctx.place)),
        refusals=find_refusals(
            ctx, target, draft, Kind.RELEASE, promote_from=target.rollout.promote_from if target else None
        ),
        changes=changes,
    )
    return Outcome(
        status="planned", text=f"would release version {facts.version} to {ctx.place.environment}", plan=plan
    )


def _release_of(rollout: Rollout) -> str | None:
    return rollout.candidate.release if rollout.candidate else None


def _choose_rollback(ctx: Context, wanted: Wanted, to: str | None) -> Release:
    live = wanted.colour(wanted.live) if wanted.live else None
    if to:
        if live and live.release == to:
            raise UsageError(f"{to} is live already", where=str(ctx.place))
        return ctx.ledger.release(ctx.place.service, to)
    warm, holds = wanted.colour(wanted.idle), ctx.ledger.holds(ctx.place)
    if warm and warm.release not in holds:
        return ctx.ledger.release(ctx.place.service, warm.release)
    # A warm release on hold is the one that was rolled away from: it comes back only by name.
    past = ctx.ledger.history(ctx.place, HISTORY_DEPTH)
    known = {item.id: item for item in ctx.ledger.releases(ctx.place.service)}
    chosen = choose_rollback(past, known, live.release if live else "", holds, ctx.ledger.schema(ctx.place))
    if chosen is None:
        raise NotFoundError(
            "there is no earlier release that is not on hold and works with the schema as it is",
            where=str(ctx.place),
            remedy="go forward with a corrected release, or name one with --to",
        )
    return chosen
