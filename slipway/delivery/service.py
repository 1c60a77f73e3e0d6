"""The verbs of delivery, for the command line and for programs: release, promote, rollback, resume, abort, lift, retire, contract.

Each takes a `Context`, holds the environment's lease while it works, and first finishes what a dead process left behind.
"""

from __future__ import annotations

from datetime import datetime

from slipway.delivery.conducting import (
    Outcome,
    bring_up,
    conclude,
    finish_unfinished,
    pass_before_up,
    refuse_repeated,
    require_target,
    roll_out,
    run,
    run_contract,
    settings_of,
    tell,
)
from slipway.delivery.gates import find_frozen
from slipway.delivery.gating import (
    Override,
    demands_of,
    find_refusals,
    freeze_windows,
    known_target,
    pass_gates,
    refuse_direction,
    refuse_going_on,
    release_at,
)
from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.fitness import FitnessNote
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.schema import MigrationPlan, plan_migrations
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.planning import (
    Plan,
    as_colour_release,
    begin_rollout,
    build_release,
    choose_steps,
    find_contract,
)
from slipway.delivery.ports import Context, Place
from slipway.delivery.rollback_choice import choose_rollback
from slipway.errors import NotFoundError, UsageError

ABORT_WAIT_SECONDS = 300.0
"""How long `abort` waits for a running owner to bring the traffic back before it gives up."""


def release(
    ctx: Context, *, force: bool = False, because: str = "", pace: Pace | None = None, dry_run: bool = False
) -> Outcome:
    """Build a release from the checkout and bring it to 100 % here. Raises ReleaseRolledBackError when it is turned back."""
    if dry_run:
        return _plan_release(ctx, pace)
    override, asked_at = Override.given(because, force=force), ctx.clock.now()
    refuse_direction(ctx, None)
    with hold_lease(ctx, f"slipway release {ctx.place.environment}") as keeper:
        refuse_going_on(ctx, keeper, override)
        resumed = finish_unfinished(ctx, keeper)
        # Not even the infrastructure moves in a freeze. The other gates need the image, which the `up` builds.
        windows = freeze_windows(ctx, known_target(ctx))
        pass_gates(ctx, [*find_frozen(ctx.place.environment, windows, ctx.clock.now())], override)
        target = bring_up(ctx)
        refuse_direction(ctx, None)
        draft = _make_release(ctx, target, asked_at)
        _attest(ctx, target, draft)
        made = ctx.ledger.put_release(draft)
        refuse_repeated(resumed, made)
        return roll_out(ctx, keeper, target, made, promoted_from=None, override=override, pace=pace)


def promote(
    ctx: Context,
    from_environment: str,
    *,
    release_id: str | None = None,
    force: bool = False,
    because: str = "",
    pace: Pace | None = None,
    dry_run: bool = False,
) -> Outcome:
    """Bring the release that is live in `from_environment` (or `release_id`) to 100 % here: the same object, by digest."""
    refuse_direction(ctx, from_environment)
    override = None if dry_run else Override.given(because, force=force)
    upstream = Place(environment=from_environment, service=ctx.place.service)
    chosen = ctx.ledger.release(ctx.place.service, release_id) if release_id else release_at(ctx, upstream)
    if dry_run:
        wanted, known = ctx.ledger.wanted(ctx.place), known_target(ctx)
        settings = settings_of(known, pace) if known else RolloutSettings()
        plan = Plan(
            kind=Kind.RELEASE,
            release=chosen,
            colour=wanted.idle,
            steps=choose_steps(Kind.RELEASE, wanted, settings),
            migrations=plan_migrations(chosen, ctx.ledger.schema(ctx.place)),
            refusals=find_refusals(ctx, known, chosen, Kind.RELEASE),
            changes=ctx.stack.preview().changes,
        )
        return Outcome(
            status="planned", text=f"would promote {chosen.id} to {ctx.place.environment}", release=chosen, plan=plan
        )
    with hold_lease(ctx, f"slipway promote {from_environment} {ctx.place.environment}") as keeper:
        refuse_going_on(ctx, keeper, override)
        resumed = finish_unfinished(ctx, keeper)
        refuse_repeated(resumed, chosen)
        # After the wait for the lease, and before anything is built here: a refused promotion does not touch the infrastructure.
        pass_before_up(ctx, known_target(ctx), chosen, override)
        target = bring_up(ctx)
        refuse_direction(ctx, from_environment)
        return roll_out(ctx, keeper, target, chosen, promoted_from=from_environment, override=override, pace=pace)


def rollback(
    ctx: Context,
    to: str | None = None,
    *,
    because: str = "",
    force: bool = False,
    pace: Pace | None = None,
    dry_run: bool = False,
) -> Outcome:
    """Bring traffic back: to the warm old colour at once, or to release `to` (or the newest that fits) by deploying it.

    A rollout under way is turned back instead. The image of the release rolled away from is rejected here.
    """
    override = Override.given(because, force=force)
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
        chosen, kind, refusals = choose_rollback(ctx, wanted, target, to)
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
        rollout = begin_rollout(
            kind=kind,
            place=ctx.place,
            actor=f"{ctx.owner.name}{': ' + because if because else ''}",
            now=ctx.clock.now(),
            wanted=wanted,
            candidate=as_colour_release(chosen),
            settings=settings,
            forced=pass_gates(ctx, refusals, override),
        )
        return run(ctx, keeper, target, rollout, chosen)


def resume(ctx: Context, *, force: bool = False, because: str = "") -> Outcome:
    """Continue what a dead process left behind; UNCHANGED when nothing is under way."""
    override = Override.given(because, force=force)
    with hold_lease(ctx, f"slipway resume {ctx.place.environment}") as keeper:
        refuse_going_on(ctx, keeper, override)
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


def lift(ctx: Context, release_id: str | None = None, *, because: str) -> Outcome:
    """Lift the rejection of a release's image here (of the only one, without `release_id`). Needs no lease: it moves nothing."""
    if not because.strip():
        raise UsageError("lifting a rejection wants a reason", remedy="add --because REASON; it is kept in the ledger")
    rejected = ctx.ledger.rejections(ctx.place)
    if release_id:
        digest = ctx.ledger.release(ctx.place.service, release_id).digest
        rejected = [each for each in rejected if each.digest == digest]
    names = ", ".join(each.rejected.release for each in rejected if each.rejected)
    if not rejected:
        what = f"{release_id} is not rejected here" if release_id else "nothing is rejected here"
        raise NotFoundError(what, where=str(ctx.place))
    if len(rejected) > 1:
        raise UsageError(f"several are rejected here: {names}", where=str(ctx.place), remedy="name one of them")
    note = FitnessNote(release=names, because=because, by=ctx.owner.name, at=ctx.clock.now())
    ctx.ledger.lift_rejection(ctx.place, rejected[0].digest, note)
    return Outcome(status="completed", text=f"{names} is no longer rejected in {ctx.place.environment}")


def retire(ctx: Context, *, force: bool = False, because: str = "") -> Outcome:
    """Take the warm old colour away once its rollback window is closed (or with `force`)."""
    override = Override.given(because, force=force)
    with hold_lease(ctx, f"slipway retire {ctx.place.environment}") as keeper:
        refuse_going_on(ctx, keeper, override)
        finish_unfinished(ctx, keeper)
        target = require_target(ctx)
        wanted = ctx.ledger.wanted(ctx.place)
        if wanted.live is None or wanted.colour(wanted.idle) is None:
            return Outcome(status="unchanged", text="no old colour is kept warm")
        refusals = find_refusals(ctx, target, release_at(ctx, ctx.place), Kind.RETIRE)
        rollout = begin_rollout(
            kind=Kind.RETIRE,
            place=ctx.place,
            actor=ctx.owner.name,
            now=ctx.clock.now(),
            wanted=wanted,
            candidate=None,
            settings=target.rollout,
            forced=pass_gates(ctx, refusals, override),
        )
        return run(ctx, keeper, target, rollout, None)


def contract(ctx: Context, *, force: bool = False, because: str = "", dry_run: bool = False) -> Outcome:
    """Run the live release's contract migrations; the warm old colour, which may not know them, goes away first."""
    override = None if dry_run else Override.given(because, force=force)
    with hold_lease(ctx, f"slipway contract {ctx.place.environment}") as keeper:
        if not dry_run:
            refuse_going_on(ctx, keeper, override)
            finish_unfinished(ctx, keeper)
        target = require_target(ctx)
        live = release_at(ctx, ctx.place)
        pending = find_contract(live, ctx.ledger.schema(ctx.place))
        if dry_run:
            plan = Plan(
                kind=Kind.CONTRACT,
                release=live,
                colour=ctx.ledger.wanted(ctx.place).idle,
                migrations=MigrationPlan(contract=pending),
                refusals=find_refusals(ctx, target, live, Kind.CONTRACT),
            )
            return Outcome(
                status="planned", text=f"would run {len(pending)} contract migrations", release=live, plan=plan
            )
        if not pending:
            return Outcome(status="unchanged", text="no contract migration is pending", release=live)
        return run_contract(ctx, keeper, target, live, override)


def _make_release(ctx: Context, target: Target, asked_at: datetime) -> Release:
    if target.image is None:
        raise UsageError(
            f"the stack {target.environment} builds no image",
            where="delivery.image",
            remedy="set the build context in the stack file",
        )
    return build_release(ctx.place.service, target.image.reference, ctx.source.facts(), asked_at)


def _attest(ctx: Context, target: Target, made: Release) -> None:
    """Sign what was built, before anyone can ask for it elsewhere."""
    demands = demands_of(ctx, target)
    if not demands.key:
        return
    unknown = ctx.attestations.attest(made.image, made.git_commit, demands)
    if unknown:
        tell(ctx, f"no licence is known of {len(unknown)} packages of the image: {', '.join(unknown)}")


def _plan_release(ctx: Context, pace: Pace | None) -> Outcome:
    """The plan of a release whose image is not built: gates of the checkout, steps, migrations, the stack's changes."""
    wanted, target = ctx.ledger.wanted(ctx.place), known_target(ctx)
    changes = ctx.stack.preview().changes
    settings = settings_of(target, pace) if target else RolloutSettings()
    # It has the image that the stack built last, if any.
    image = target.image.reference if target and target.image else f"{ctx.place.service}@sha256:{'0' * 64}"
    draft = build_release(ctx.place.service, image, ctx.source.facts(), ctx.clock.now())
    plan = Plan(
        kind=Kind.RELEASE,
        release=draft,
        colour=wanted.idle,
        steps=choose_steps(Kind.RELEASE, wanted, settings),
        migrations=plan_migrations(draft, ctx.ledger.schema(ctx.place)),
        refusals=find_refusals(ctx, target, draft, Kind.RELEASE),
        changes=changes,
    )
    return Outcome(
        status="planned", text=f"would release version {draft.version} to {ctx.place.environment}", plan=plan
    )


def _release_of(rollout: Rollout) -> str | None:
    return rollout.candidate.release if rollout.candidate else None
