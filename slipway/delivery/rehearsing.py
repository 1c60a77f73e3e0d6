"""Rehearsing the way back: the traffic goes to the warm release and forward again, and how long that takes is kept with the release."""

from __future__ import annotations

from dataclasses import replace

from slipway.delivery.conducting import Outcome, run, settings_of, unfinished
from slipway.delivery.gates import Refusal, find_frozen
from slipway.delivery.gating import freeze_windows, pass_gates
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.rollout import Kind
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.owing import at_work
from slipway.delivery.planning import Plan, begin_rollout, choose_steps
from slipway.delivery.ports import Context
from slipway.delivery.rollback_choice import choose_warm
from slipway.delivery.targeting import reachable_target, require_target
from slipway.delivery.way_back import actor_of
from slipway.errors import NotFoundError, OperationError


def rehearse(ctx: Context, *, because: str = "", dry_run: bool = False) -> Outcome:
    """Bring the traffic to the warm release and forward again. What is live stays live, and nothing is held against it.

    A process that dies in between leaves a rollout that whoever comes next ends: forward, or for `rollback` back.
    """
    if dry_run:
        target = reachable_target(ctx)
        plan = plan_rehearsal(ctx, target, settings_of(ctx, target))
        text = f"would go back to {plan.release.id if plan.release else 'nothing'} and forward again"
        return Outcome(status="planned", text=text, release=plan.release, plan=plan)
    with at_work(ctx, f"slipway rehearse {ctx.place.environment}") as keeper:
        unfinished(ctx, keeper)  # one that has ended may be in no history yet, and this one takes its place
        target = require_target(ctx)
        settings = settings_of(ctx, target)
        plan = plan_rehearsal(ctx, target, settings)
        pass_gates(ctx, plan.refusals, None)
        rollout = begin_rollout(
            kind=plan.kind,
            place=ctx.place,
            actor=actor_of(ctx, because),
            now=ctx.clock.now(),
            wanted=ctx.ledger.wanted(ctx.place),
            candidate=plan.candidate,
            settings=settings,
        )
        # Not from the command: a rollback would not have waited for whoever had the lease.
        rollout = replace(rollout, started_at=keeper.lease.acquired_at)
        return _counted(ctx, run(ctx, keeper, target, rollout, plan.release))


def plan_rehearsal(ctx: Context, target: Target, settings: RolloutSettings) -> Plan:
    """What a rehearsal would do, with all that refuses it. NotFoundError where there is no way back that is instant."""
    wanted = ctx.ledger.wanted(ctx.place)
    choice = choose_warm(ctx, wanted, target)
    if choice is None:
        raise NotFoundError(
            f"{'no earlier release is kept warm' if wanted.live else 'nothing is live'} here, so there is no way back to rehearse",
            where=str(ctx.place),
            remedy="the release before stays warm when the next one goes live, until `slipway retire`",
        )
    frozen = find_frozen(ctx.place.environment, freeze_windows(ctx, target), ctx.clock.now())
    return Plan(
        kind=Kind.REHEARSAL,
        release=choice.release,
        colour=wanted.idle,
        candidate=choice.runs,
        steps=choose_steps(Kind.REHEARSAL, wanted, settings),
        refusals=_refuse_unfinished(ctx)  # what else there is to say is of a colour that is about to change
        or (
            *(replace(each, remedy="wait until then", can_be_forced=False) for each in frozen),
            *(replace(each, can_be_forced=False) for each in choice.refusals),
        ),
        revision=wanted.revision,
    )


def _refuse_unfinished(ctx: Context) -> tuple[Refusal, ...]:
    """Refusals while anything is under way, or the stack is not as the ledger says: then the warm pods may be others."""
    rollout, resume = ctx.ledger.rollout(ctx.place), f"`slipway resume {ctx.place.environment}` first"
    texts = (
        [f"{rollout.kind} {rollout.id} is under way, in {rollout.phase}"] if rollout and not rollout.phase.ended else []
    )
    texts += [f"owed: {item.text}" for item in ctx.ledger.owed(ctx.place) if item.debt is Debt.UP]
    return tuple(Refusal(gate="unfinished", text=text, remedy=resume, can_be_forced=False) for text in texts)


def _counted(ctx: Context, outcome: Outcome) -> Outcome:
    """The outcome of a rehearsal; OperationError where somebody else ended it another way."""
    ended = outcome.rollout
    if ended and ended.kind is not Kind.REHEARSAL:
        back = ended.candidate.release if ended.candidate else "the older release"
        raise OperationError(f"{ended.actor} has gone back to {back} meanwhile: it is live", where=str(ctx.place))
    if ended and ended.rehearsed is None:
        raise OperationError(
            outcome.text, where=str(ctx.place), remedy=f"`slipway rehearse {ctx.place.environment}` tries again"
        )
    return outcome
