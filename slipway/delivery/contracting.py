"""What is done with the schema once the traffic is decided: waiting for backfills, and contract migrations."""

from __future__ import annotations

from slipway.delivery.conducting import Outcome, finish_unfinished, run_contract
from slipway.delivery.errors import RefusedError
from slipway.delivery.filling import owed_backfills
from slipway.delivery.gating import Override, find_refusals, refuse_going_on, release_at
from slipway.delivery.leasing import LeaseKeeper, hold_lease
from slipway.delivery.model.owed import Debt, Owed
from slipway.delivery.model.rollout import Kind
from slipway.delivery.model.schema import MigrationPlan, find_contract
from slipway.delivery.owing import at_work, forgive, pay
from slipway.delivery.planning import Plan
from slipway.delivery.ports import Context
from slipway.delivery.targeting import known_target, remembered_target, require_target
from slipway.delivery.telling import tell
from slipway.delivery.way_back import live_release
from slipway.errors import LockedError, NotFoundError, OperationError

LOOK_SECONDS = 5.0
"""Between two looks at a backfill's Job, which tells how far it is as often."""


def contract(ctx: Context, *, force: bool = False, because: str = "", dry_run: bool = False) -> Outcome:
    """Run the live release's contract migrations; the warm old colour, which may not know them, goes away first."""
    if dry_run:
        live = release_at(ctx, ctx.place)
        plan = Plan(
            kind=Kind.CONTRACT,
            release=live,
            colour=ctx.ledger.wanted(ctx.place).idle,
            migrations=MigrationPlan(contract=find_contract(live, ctx.ledger.schema(ctx.place))),
            refusals=find_refusals(ctx, known_target(ctx), live, Kind.CONTRACT),
        )
        text = f"would run {len(plan.migrations.contract)} contract migrations"
        return Outcome(status="planned", text=text, release=live, plan=plan)
    override, meant = Override.given(because, force=force), live_now(ctx)
    with at_work(ctx, f"slipway contract {ctx.place.environment}") as keeper:
        refuse_going_on(ctx, keeper, override, meant=Kind.CONTRACT)
        finish_unfinished(ctx, keeper)
        override = while_live(ctx, override, meant)
        target, live = require_target(ctx), release_at(ctx, ctx.place)
        if not find_contract(live, ctx.ledger.schema(ctx.place)):
            forgive(ctx, keeper, Debt.CONTRACT)
            return Outcome(status="unchanged", text="no contract migration is pending", release=live)
        pay(ctx, keeper, {Debt.BACKFILL})  # one that is complete opens its gate
        return run_contract(ctx, keeper, target, live, override)


def live_now(ctx: Context) -> str | None:
    """The release that somebody sees here; None: none is live."""
    try:
        return live_release(ctx.ledger.wanted(ctx.place))
    except NotFoundError:
        return None


def while_live(ctx: Context, override: Override | None, meant: str | None) -> Override | None:
    """What was forced of `meant`: it says nothing of a release that was still under way then, whose way back would be taken away."""
    live = live_now(ctx)
    if override is None or live == meant:
        return override
    tell(ctx, f"{live} came live meanwhile: --force was given for {meant or 'nothing'}, and does not count for it")
    return None


def pay_contract(ctx: Context, keeper: LeaseKeeper) -> None:
    """Contract migrations that failed before, once more, where no older code runs."""
    if not any(item.debt is Debt.CONTRACT for item in ctx.ledger.owed(ctx.place)):
        return
    wanted, target = ctx.ledger.wanted(ctx.place), require_target(ctx)
    if wanted.live is None:
        return
    live = release_at(ctx, ctx.place)
    if not find_contract(live, ctx.ledger.schema(ctx.place)):
        forgive(ctx, keeper, Debt.CONTRACT)
        return
    if wanted.colour(wanted.idle):
        return
    try:
        run_contract(ctx, keeper, target, live, None)
    except (RefusedError, OperationError) as error:
        tell(ctx, f"owed: {error.what}")


def backfill(ctx: Context) -> Outcome:
    """Wait for the backfills that are owed here. The lease is free meanwhile.

    OperationError when one has failed, and was started again, or when a way back has dropped it.
    """
    awaited = owed_backfills(ctx.ledger, ctx.place)
    if not awaited:
        return Outcome(status="unchanged", text=f"no backfill is owed in {ctx.place.environment}")
    attempts = {item.release: item.attempts for item in awaited}
    told: dict[str, str] = {}
    while left := owed_backfills(ctx.ledger, ctx.place):
        for item in left:
            if item.attempts > attempts.setdefault(item.release, item.attempts):
                raise OperationError(item.text, where=str(ctx.place))
            text = _follow(ctx, item)
            if text and text != told.get(item.release):
                told[item.release] = text
                tell(ctx, f"backfill {item.release}: {text}")
        ctx.clock.sleep(LOOK_SECONDS)
    filled = ctx.ledger.schema(ctx.place).filled
    if dropped := [name for name in attempts if name not in filled]:
        raise OperationError(
            f"not complete: backfill {', '.join(dropped)}; it is owed no more: a release that does not know of it has the traffic",
            where=str(ctx.place),
            remedy="it runs once more, from the beginning, when a release that knows of it has all the traffic again",
        )
    return Outcome(status="completed", text=f"complete: backfill {', '.join(attempts)}")


def _follow(ctx: Context, item: Owed) -> str:
    """How far it is; the lease is taken where there is something to do."""
    target = remembered_target(ctx)
    seen = ctx.connect(target).cluster.backfill(item.release, item.rollout) if target else None
    if seen and not seen.done and not seen.failure:
        return seen.text
    try:
        with hold_lease(ctx, f"slipway backfill {ctx.place.environment}") as keeper:
            pay(ctx, keeper, {Debt.BACKFILL})
    except LockedError:
        return "another process is at work here, and looks at it in the end"
    return ""
