"""What the load balancer has and the ledger does not explain: refused before traffic moves, repaired by `resume`."""

from __future__ import annotations

from slipway.delivery.errors import ListenerGoneError
from slipway.delivery.leasing import LeaseKeeper
from slipway.delivery.machine import CONFIRM_SECONDS, POLL_SECONDS
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.observation import BalancerState
from slipway.delivery.model.rollout import Phase, Rollout
from slipway.delivery.model.route import NO_ROUTES, say_routes
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.ports import Context, LoadBalancer
from slipway.delivery.targeting import known_balancer
from slipway.delivery.telling import tell
from slipway.errors import OperationError, SlipwayError

READ_ATTEMPTS = 4


def read_weights(ctx: Context, balancer: LoadBalancer) -> Weights | None:
    """What the load balancer says, asked again when it does not answer."""
    return _read(ctx, balancer, routes=False).weights


def read_traffic(ctx: Context, balancer: LoadBalancer) -> BalancerState:
    """The weights, and the routes that rollouts have made."""
    return _read(ctx, balancer, routes=True)


def _read(ctx: Context, balancer: LoadBalancer, *, routes: bool) -> BalancerState:
    for attempt in range(READ_ATTEMPTS):
        try:
            return balancer.read(routes=routes)
        except SlipwayError:
            if attempt == READ_ATTEMPTS - 1:
                raise
            ctx.clock.sleep(max(POLL_SECONDS * 2**attempt, ctx.cadence.poll_seconds))
    raise AssertionError("unreachable")


def refuse_drift(ctx: Context, balancer: LoadBalancer | None, rollout: Rollout | None = None) -> None:
    """OperationError when traffic is divided as neither the ledger nor the unfinished `rollout` says."""
    if balancer is None:
        return
    wanted = ctx.ledger.wanted(ctx.place)
    actual = read_traffic(ctx, balancer)
    if _explains(rollout, actual, wanted):
        return
    raise OperationError(
        f"the load balancer has {_say(actual)} and the ledger says {wanted.weights}: somebody else moved the traffic",
        where=str(ctx.place),
        remedy=ways_out(ctx.place.environment),
    )


def ways_out(environment: str) -> str:
    """What to do about traffic that somebody else has moved."""
    return (
        f"`slipway resume {environment}` sets what the ledger says; "
        f"`slipway rollback {environment}` keeps the traffic at the older release, if that is where it was moved to"
    )


def refuse_moved_traffic(ctx: Context) -> None:
    """Before an `up` that belongs to no rollout, which makes both colours what the ledger says: OperationError when traffic is divided as
    neither the ledger nor a rollout that is under way says, since what is replaced might carry it."""
    rollout = ctx.ledger.rollout(ctx.place)
    try:
        refuse_drift(ctx, known_balancer(ctx), rollout if rollout and not rollout.phase.ended else None)
    except ListenerGoneError as error:  # what an `up` is for, after one that was cut short
        tell(ctx, f"{error.what}: there is no traffic that could be lost")


def refuse_used(ctx: Context, balancer: LoadBalancer, colour: Colour) -> None:
    """OperationError when `colour`, which is about to be replaced, carries traffic."""
    actual = read_traffic(ctx, balancer)
    routed = any(route.colour in {colour, None} for route in actual.routes or ())
    if actual.weights is None or actual.weights.of(colour) or routed:
        raise OperationError(
            f"the load balancer has {_say(actual)}, and {colour} was to be replaced",
            where=str(ctx.place),
            remedy=f"`slipway resume {ctx.place.environment}` sets what the ledger says; then roll back",
        )


def repair_drift(ctx: Context, keeper: LeaseKeeper, balancer: LoadBalancer | None) -> str:
    """Set the weights that the ledger says and end all routes, after saying so; what was done, "" when nothing differed.

    No rollout may be under way that has routes.
    """
    wanted = ctx.ledger.wanted(ctx.place)
    if balancer is None or not wanted.releases():
        return ""
    # The weights first: rules that cannot be read must not keep them.
    found = _repair_weights(ctx, keeper, balancer, wanted, read_weights(ctx, balancer))
    actual = read_traffic(ctx, balancer)
    found += _repair_weights(ctx, keeper, balancer, wanted, actual.weights)
    if actual.routes:
        found.append(say_routes(actual.routes))
        tell(ctx, f"the load balancer has {found[-1]}, and no rollout is under way: taking them away")
        keeper.confirm()
        balancer.set_routes(NO_ROUTES)
    if not found:
        return ""
    ctx.clock.sleep(ctx.cadence.settle_seconds)  # what comes next may take pods away
    return f"the load balancer had {', and '.join(found)}, and has {wanted.weights} again"


def _repair_weights(
    ctx: Context, keeper: LeaseKeeper, balancer: LoadBalancer, wanted: Wanted, actual: Weights | None
) -> list[str]:
    """What differed; empty when nothing did."""
    if actual == wanted.weights:
        return []
    found = _say(BalancerState(weights=actual))
    tell(ctx, f"the load balancer has {found}, the ledger says {wanted.weights}: setting that again")
    _set_weights(ctx, keeper, balancer, wanted)
    return [found]


def _set_weights(ctx: Context, keeper: LeaseKeeper, balancer: LoadBalancer, wanted: Wanted) -> None:
    _refuse_empty(ctx, balancer, wanted)
    began = asked = ctx.clock.monotonic()
    keeper.confirm()
    balancer.move(wanted.weights)
    while read_weights(ctx, balancer) != wanted.weights:
        at = ctx.clock.monotonic()
        if at - began > CONFIRM_SECONDS:
            raise OperationError(
                f"the load balancer does not confirm {wanted.weights}",
                where=str(ctx.place),
                remedy="look at the listener in the AWS console",
            )
        if at - asked > CONFIRM_SECONDS / 20:
            keeper.confirm()
            balancer.move(wanted.weights)
            asked = at
        ctx.clock.sleep(ctx.cadence.poll_seconds)


def say_drift(ctx: Context, keeper: LeaseKeeper, balancer: LoadBalancer | None, rollout: Rollout) -> None:
    """Before an interrupted rollout goes on: tell what differs, and repair what none of its next phases would."""
    if balancer is None:
        return
    actual = read_traffic(ctx, balancer)
    wanted = ctx.ledger.wanted(ctx.place)
    if _explains(rollout, actual, wanted):
        return
    if Phase.SHIFTING in rollout.path or Phase.RETURNING in rollout.path:
        tell(
            ctx,
            f"the load balancer has {_say(actual)}, the ledger says {wanted.weights}: the rollout sets its own again",
        )
    else:
        repair_drift(ctx, keeper, balancer)


def _explains(rollout: Rollout | None, actual: BalancerState, wanted: Wanted) -> bool:
    """Whether the ledger, or the rollout under way, accounts for how requests are divided."""
    weighted = actual.weights == wanted.weights or (rollout is not None and actual.weights in rollout.explained)
    return weighted and (actual.routes or NO_ROUTES) <= (rollout.routes if rollout else NO_ROUTES)


def _refuse_empty(ctx: Context, balancer: LoadBalancer, wanted: Wanted) -> None:
    for colour in Colour:
        if wanted.weights.of(colour) and balancer.health(colour).healthy == 0:
            raise OperationError(
                f"{colour} should have {wanted.weights.of(colour)} % of the traffic, and has no healthy target",
                where=str(ctx.place),
                remedy=f"traffic stays where it is; `slipway rollback {ctx.place.environment}` makes that the ledger's word, too",
            )


def _say(actual: BalancerState) -> str:
    weights = str(actual.weights) if actual.weights else "something else than the two colours behind its listener"
    return f"{weights}, and {say_routes(actual.routes)}" if actual.routes else weights
