"""Conducting a rollout: what all verbs share, from finding an interrupted one to driving a new one to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slipway.delivery.converging import bring_stack_up
from slipway.delivery.errors import ReleaseRolledBackError
from slipway.delivery.events import Notice
from slipway.delivery.gating import HISTORY_DEPTH, Override, find_refusals, pass_gates, release_at
from slipway.delivery.leasing import LeaseKeeper
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.schema import plan_migrations
from slipway.delivery.model.target import RolloutSettings, Target, parse_target
from slipway.delivery.planning import (
    Plan,
    as_colour_release,
    begin_rollout,
    find_contract,
    window_closes_at,
)
from slipway.delivery.ports import Context
from slipway.delivery.runner import Runner


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
        settings=target.rollout,
        migrations=find_contract(live, ctx.ledger.schema(ctx.place)),
        forced=forced,
    )
    return run(ctx, keeper, target, rollout, live)


def pass_before_up(ctx: Context, target: Target | None, chosen: Release, override: Override | None) -> tuple[str, ...]:
    """Every gate but the one that pending contract migrations open themselves, once they have run."""
    refusals = find_refusals(ctx, target, chosen, Kind.RELEASE)
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
    if running and running.release == chosen.id:
        return Outcome(status="unchanged", text=f"{chosen.id} is live already", release=chosen)
    settings = settings_of(target, pace)
    pass_before_up(ctx, target, chosen, override)
    _contract_first(ctx, keeper, target.model_copy(update={"rollout": settings}), chosen, override)
    forced = pass_gates(ctx, find_refusals(ctx, target, chosen, Kind.RELEASE), override)
    rollout = begin_rollout(
        kind=Kind.RELEASE,
        place=ctx.place,
        actor=ctx.owner.name,
        now=ctx.clock.now(),
        wanted=ctx.ledger.wanted(ctx.place),
        candidate=as_colour_release(chosen),
        settings=settings,
        migrations=plan_migrations(chosen, ctx.ledger.schema(ctx.place)).expand,
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
    live = release_at(ctx, ctx.place)
    pending = find_contract(live, ctx.ledger.schema(ctx.place))
    closes_at = window_closes_at(
        wanted, ctx.ledger.history(ctx.place, HISTORY_DEPTH), target.rollout.rollback_window_seconds
    )
    if pending and (closes_at is None or closes_at <= ctx.clock.now()):
        run_contract(ctx, keeper, target, live, override)


def run(ctx: Context, keeper: LeaseKeeper, target: Target, rollout: Rollout, chosen: Release | None) -> Outcome:
    return conclude(_drive(ctx, keeper, target, rollout, resumed=False), chosen)


def conclude(ended: Rollout, chosen: Release | None) -> Outcome:
    """What an ended rollout means to whoever asked for it; ReleaseRolledBackError when a check, or a person, turned it back."""
    if ended.phase is Phase.COMPLETED:
        return Outcome(status="completed", text=f"{ended.kind} completed", release=chosen, rollout=ended)
    raise ReleaseRolledBackError(ended)


def _drive(ctx: Context, keeper: LeaseKeeper, target: Target, rollout: Rollout, *, resumed: bool) -> Rollout:
    world = ctx.connect(target)
    ctx.ledger.register(target)
    try:
        return Runner(ctx, world, keeper).run(rollout, resumed=resumed)
    finally:
        world.notifier.flush()


def finish_unfinished(ctx: Context, keeper: LeaseKeeper) -> Rollout | None:
    """The rollout that a dead process left, brought to its end; None: there was none."""
    ctx.ledger.ensure(ctx.place)
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is None:
        return None
    if rollout.phase.ended:
        newest = ctx.ledger.history(ctx.place, 1)
        if newest and newest[0].id == rollout.id:
            return None
        # Its process died between the last journal entry and the history: it has ended, and nobody was told.
        ctx.ledger.put_history(ctx.place, rollout)
        return rollout
    tell(ctx, f"{rollout.kind} {rollout.id} by {rollout.actor} was left in phase {rollout.phase}: continuing it")
    return _drive(ctx, keeper, require_target(ctx), rollout, resumed=True)


def refuse_repeated(resumed: Rollout | None, chosen: Release) -> None:
    """The release asked for is the one whose interrupted rollout has just turned out bad."""
    if resumed and resumed.phase is Phase.ROLLED_BACK and resumed.candidate and resumed.candidate.release == chosen.id:
        raise ReleaseRolledBackError(resumed)


def bring_up(ctx: Context) -> Target:
    tell(ctx, f"bringing the stack {ctx.place.environment} up")
    bring_stack_up(ctx)
    return require_target(ctx)


def require_target(ctx: Context) -> Target:
    return parse_target(ctx.stack.outputs())


def settings_of(target: Target, pace: Pace | None) -> RolloutSettings:
    return pace.applied_to(target.rollout) if pace else target.rollout


def tell(ctx: Context, text: str) -> None:
    """Tell whoever follows the verb."""
    ctx.progress(Notice(at=ctx.clock.now(), environment=ctx.place.environment, service=ctx.place.service, text=text))
