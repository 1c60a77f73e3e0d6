"""Conducting a rollout: what all verbs share, from finding an interrupted one to driving a new one to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from slipway.delivery.converging import bring_stack_up
from slipway.delivery.drift import refuse_drift, refuse_used, ways_out
from slipway.delivery.ending import ending_elsewhere, ending_of, keep_ended
from slipway.delivery.errors import LeaseLostError, ReleaseRolledBackError, left_in_database
from slipway.delivery.gating import HISTORY_DEPTH, Override, find_refusals, pass_gates, release_at
from slipway.delivery.leasing import LeaseKeeper
from slipway.delivery.machine import TAKING
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout
from slipway.delivery.model.schema import find_backfills, find_contract, plan_migrations
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.owing import forgive, pay
from slipway.delivery.planning import (
    Plan,
    as_colour_release,
    begin_rollout,
    read_history,
    window_closes_at,
)
from slipway.delivery.ports import Context
from slipway.delivery.runner import PERSISTENCE_SECONDS, Runner
from slipway.delivery.targeting import known_balancer, quick_target, reachable_target, require_target
from slipway.delivery.telling import announce, tell
from slipway.delivery.transitions import cut_short
from slipway.errors import OperationError, SlipwayError


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a verb did."""

    status: Literal["completed", "unchanged", "rolled-back", "planned"]
    text: str
    release: Release | None = None
    rollout: Rollout | None = None
    plan: Plan | None = None


def run_contract(
    ctx: Context, keeper: LeaseKeeper, target: Target, live: Release, override: Override | None
) -> Outcome:
    forced = pass_gates(ctx, find_refusals(ctx, target, live, Kind.CONTRACT), override)
    rollout = begin_rollout(
        kind=Kind.CONTRACT,
        place=ctx.place,
        actor=ctx.owner.name,
        now=ctx.clock.now(),
        wanted=ctx.ledger.wanted(ctx.place),
        candidate=None,
        settings=settings_of(ctx, target),
        migrations=find_contract(live, ctx.ledger.schema(ctx.place)),
        forced=forced,
    )
    return run(ctx, keeper, target, rollout, live)


def pass_before_up(
    ctx: Context,
    target: Target | None,
    chosen: Release,
    override: Override | None,
    settings: RolloutSettings | None = None,
) -> tuple[str, ...]:
    """Every gate but the one that pending contract migrations open themselves, once they have run."""
    refusals = find_refusals(ctx, target, chosen, Kind.RELEASE, settings=settings)
    return pass_gates(ctx, [refusal for refusal in refusals if refusal.gate != "pending-contract"], override)


def roll_out(
    ctx: Context,
    keeper: LeaseKeeper,
    target: Target,
    chosen: Release,
    *,
    promoted_from: str | None,
    override: Override | None,
    pace: Pace | None,
) -> Outcome:
    wanted = ctx.ledger.wanted(ctx.place)
    running = wanted.colour(wanted.live) if wanted.live else None
    if running and running.runs(chosen.id, target.colour_settings):
        return Outcome(status="unchanged", text=f"{chosen.id} is live already", release=chosen)
    settings = settings_of(ctx, target, pace)
    pass_before_up(ctx, target, chosen, override, settings)
    _contract_first(ctx, keeper, target.model_copy(update={"rollout": settings}), chosen, override)
    forced = pass_gates(ctx, find_refusals(ctx, target, chosen, Kind.RELEASE, settings=settings), override)
    rollout = begin_rollout(
        kind=Kind.RELEASE,
        place=ctx.place,
        actor=ctx.owner.name,
        now=ctx.clock.now(),
        wanted=ctx.ledger.wanted(ctx.place),
        candidate=as_colour_release(chosen, target.colour_settings),
        settings=settings,
        migrations=plan_migrations(chosen, ctx.ledger.schema(ctx.place), live=wanted.live is not None).expand,
        forced=forced,
        promoted_from=promoted_from,
    )
    return run(ctx, keeper, target, rollout, chosen)


def _contract_first(
    ctx: Context,
    keeper: LeaseKeeper,
    target: Target,
    chosen: Release,
    override: Override | None,
) -> None:
    """Run the live release's contract migrations when they come before the new release's own and nothing holds them back."""
    wanted = ctx.ledger.wanted(ctx.place)
    if wanted.live is None or not plan_migrations(chosen, ctx.ledger.schema(ctx.place)).first:
        return
    pay(ctx, keeper, {Debt.BACKFILL})
    if contract_may_run(ctx, target.rollout.rollback_window_seconds):
        run_contract(ctx, keeper, target, release_at(ctx, ctx.place), override)


def contract_may_run(ctx: Context, window_seconds: float) -> bool:
    """Whether the live release has contract migrations to run, and neither a backfill nor the rollback window holds them back."""
    wanted, schema = ctx.ledger.wanted(ctx.place), ctx.ledger.schema(ctx.place)
    if wanted.live is None:
        return False
    live = release_at(ctx, ctx.place)
    if find_backfills(live, schema) or not find_contract(live, schema):
        return False
    closes_at = window_closes_at(wanted, read_history(ctx.ledger, ctx.place, HISTORY_DEPTH), window_seconds)
    return closes_at is None or closes_at <= ctx.clock.now()


def run(ctx: Context, keeper: LeaseKeeper, target: Target, rollout: Rollout, chosen: Release | None) -> Outcome:
    world = ctx.connect(target)
    # A colour that gets traffic is healthy or the rollout turns back, so a switch may begin from any weights: it is a way back.
    if rollout.kind is Kind.ROLLBACK:
        refuse_used(ctx, world.balancer, rollout.colour)
    elif rollout.kind is not Kind.SWITCH:
        refuse_drift(ctx, world.balancer)
    return conclude(told_of(ctx, rollout, lambda: drive(ctx, keeper, target, rollout)), chosen)


def told_of(ctx: Context, rollout: Rollout, work: Callable[[], Rollout]) -> Rollout:
    """A rollout's end, also where another process has taken it over meanwhile. The caller must change nothing after it."""
    try:
        return work()
    except LeaseLostError:
        ended = ending_elsewhere(ctx, rollout.id)
        if ended is None:
            raise
        return ended


def conclude(ended: Rollout, chosen: Release | None) -> Outcome:
    """What an ended rollout means to whoever asked for it; ReleaseRolledBackError when a check, or a person, turned it back."""
    if ended.phase is Phase.COMPLETED:
        return Outcome(status="completed", text=ending_of(ended), release=chosen, rollout=ended)
    if ended.kind is Kind.REHEARSAL:
        raise OperationError(
            f"the rehearsal was turned back: {ended.reason}: {ended.reason_text}; what was live has the traffic, and is not rejected",
            where=f"{ended.service} in {ended.environment}",
            remedy=f"correct it, then `slipway rehearse {ended.environment}`",
        )
    if ended.kind in TAKING and ended.reason is not Reason.ABORTED:
        left = left_in_database(ended) or "in the way of nothing"
        owed = "until then it is owed, and " if Phase.CONTRACTING in ended.path else "it is "
        remedy = f"correct it, then `slipway {ended.kind} {ended.environment}`; {owed}{left}"
        if ended.reason is Reason.TRAFFIC_UNEXPLAINED:
            remedy = ways_out(ended.environment)
        raise OperationError(
            f"{ended.kind} was given up: {ended.reason}: {ended.reason_text}",
            where=f"{ended.service} in {ended.environment}",
            remedy=remedy,
        )
    raise ReleaseRolledBackError(ended)


def drive(
    ctx: Context,
    keeper: LeaseKeeper,
    target: Target,
    rollout: Rollout,
    *,
    resumed: bool = False,
    persistence_seconds: float = PERSISTENCE_SECONDS,
) -> Rollout:
    """The rollout, brought to its end in the world."""
    world = ctx.connect(target)
    told_later = _goes_back(keeper, rollout, resumed=resumed)
    if told_later:
        world = replace(world, notifier=keeper.outbox)
    else:
        ctx.ledger.register(target)
    try:
        ended = Runner(ctx, world, keeper, persistence_seconds=persistence_seconds).run(rollout, resumed=resumed)
        keeper.sets_weights = keeper.sets_weights or ended.kind not in TAKING
        if told_later:
            _register_late(ctx, target)
        return ended
    finally:
        if not (told_later and keeper.outbox.urgent):
            world.notifier.flush()


def _register_late(ctx: Context, target: Target) -> None:
    """The rollout has ended, well or not: that is what counts. The next verb registers as well."""
    try:
        ctx.ledger.register(target)
    except SlipwayError as error:
        tell(ctx, f"where {ctx.place} is was not noted: {error.what}")


def _goes_back(keeper: LeaseKeeper, rollout: Rollout, *, resumed: bool) -> bool:
    """Whether traffic goes back, and nothing is to be brought up before it: neither the stack nor who is notified may hold it up."""
    returning = rollout.kind is Kind.SWITCH or rollout.phase in {Phase.RETURNING, Phase.CLEANING}
    shifted = rollout.kind is Kind.ROLLBACK and Phase.SHIFTING in rollout.path
    return returning or shifted or (resumed and keeper.outbox.urgent)


def unfinished(ctx: Context, keeper: LeaseKeeper) -> Rollout | None:
    """The rollout that a dead process left; one that has ended, and nobody was told, is put into the history."""
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is None or not rollout.phase.ended:
        return rollout
    if ctx.ledger.is_kept(ctx.place, rollout):
        return None
    # Its process died between the last journal entry and the history: nobody was told.
    announce(ctx, keep_ended(ctx, keeper, rollout), keeper.outbox)
    return rollout


def finish_unfinished(ctx: Context, keeper: LeaseKeeper) -> Rollout | None:
    """The rollout that a dead process left, brought to its end; None: there was none. Refuses where others moved the traffic."""
    rollout = unfinished(ctx, keeper)
    if rollout is None or rollout.phase.ended:
        return rollout
    refuse_drift(ctx, known_balancer(ctx), rollout)
    return go_on(ctx, keeper, rollout)


def go_on(
    ctx: Context, keeper: LeaseKeeper, rollout: Rollout, *, persistence_seconds: float = PERSISTENCE_SECONDS
) -> Rollout:
    """An interrupted rollout, brought to its end."""
    tell(ctx, f"{rollout.kind} {rollout.id} by {rollout.actor} was left in phase {rollout.phase}: continuing it")
    returning = rollout.phase is Phase.RETURNING  # nothing is left to abort
    if rollout.kind is Kind.REHEARSAL and (returning or ctx.ledger.abort_request(ctx.place, rollout.id) is None):
        rollout = cut_short(rollout, ctx.clock.now())
    back = _goes_back(keeper, rollout, resumed=True)
    target = quick_target(ctx) if back else reachable_target(ctx)
    return drive(ctx, keeper, target, rollout, resumed=True, persistence_seconds=persistence_seconds)


def refuse_repeated(resumed: Rollout | None, chosen: Release) -> None:
    """The release asked for is the one whose interrupted rollout has just turned out bad."""
    turned_out_bad = resumed and resumed.phase is Phase.ROLLED_BACK and resumed.reason is not Reason.SUPERSEDED
    if (
        resumed
        and turned_out_bad
        and resumed.kind is not Kind.REHEARSAL
        and resumed.candidate
        and resumed.candidate.release == chosen.id
    ):
        raise ReleaseRolledBackError(resumed)


def bring_up(ctx: Context, keeper: LeaseKeeper) -> Target:
    balancer = known_balancer(ctx)
    tell(ctx, f"bringing the stack {ctx.place.environment} up")
    bring_stack_up(ctx, keeper, before=lambda: refuse_drift(ctx, balancer))
    forgive(ctx, keeper, Debt.UP)
    return require_target(ctx)


def asked_now(ctx: Context) -> datetime:
    """By this machine's clock, but after every release that is known: the clocks of machines differ."""
    known = [item.created_at + timedelta(microseconds=1) for item in ctx.ledger.releases(ctx.place.service)]
    return max([ctx.clock.now(), *known])


def settings_of(ctx: Context, target: Target, pace: Pace | None = None) -> RolloutSettings:
    settings = ctx.cadence.applied_to(target.rollout)
    return pace.applied_to(settings) if pace else settings
