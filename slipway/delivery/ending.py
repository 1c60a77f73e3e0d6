"""The end of a rollout: kept, told to everybody, and known to whoever waits for it."""

from __future__ import annotations

from slipway.delivery.events import RolloutEnded
from slipway.delivery.leasing import WAIT_POLL_SECONDS, LeaseKeeper
from slipway.delivery.model.lease import may_take_over
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.ports import Context
from slipway.delivery.telling import facts, tell

RECENT = 10
"""So many ended rollouts are looked at: the history is ordered by the clocks of machines, which differ."""


def keep_ended(ctx: Context, keeper: LeaseKeeper, rollout: Rollout) -> RolloutEnded:
    """Put an ended rollout into the history; the event to tell it by."""
    keeper.confirm()
    ctx.ledger.put_history(ctx.place, rollout)
    return RolloutEnded(**facts(ctx, ending_of(rollout)), rollout=rollout, live=ctx.ledger.wanted(ctx.place).live)


def ending_elsewhere(ctx: Context, rollout_id: str) -> Rollout | None:
    """How a rollout that another process has taken over ends. Waits while that process lives; None: it does not."""
    lease, since = ctx.ledger.lease(ctx.place), ctx.clock.monotonic()
    if lease:
        tell(ctx, f"{lease.owner.name} has taken over with `{lease.purpose}`: waiting for what becomes of this rollout")
    while True:
        current = ctx.ledger.rollout(ctx.place)
        if current and current.id == rollout_id and current.phase.ended:
            return current
        if current is None or current.id != rollout_id:
            history = ctx.ledger.history(ctx.place, RECENT)
            return next((past for past in history if past.id == rollout_id), None)
        seen = ctx.ledger.lease(ctx.place)
        if seen is None:
            return None
        if seen != lease:
            lease, since = seen, ctx.clock.monotonic()
        unchanged = ctx.clock.monotonic() - since
        if may_take_over(seen, owner_is_dead=ctx.owner_is_dead(seen.owner), unchanged_seconds=unchanged):
            return None
        ctx.clock.sleep(WAIT_POLL_SECONDS)


def ending_of(rollout: Rollout) -> str:
    """How a rollout has ended, in one line."""
    attempt = f" ({rollout.attempt})" if rollout.retried else ""
    if rollout.phase is Phase.ROLLED_BACK:
        return f"rolled back: {rollout.reason}: {rollout.reason_text}{attempt}"
    if rollout.kind is Kind.REHEARSAL:
        return (
            f"rehearsed: {rollout.rehearsed.text}"
            if rollout.rehearsed
            else "the rehearsal was cut short, and is not counted"
        )
    return f"{rollout.kind} completed{attempt}"
