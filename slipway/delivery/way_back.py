"""The way back: what is under way is left in the quickest way, and nothing that is merely owed comes before the weights."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from slipway.delivery.conducting import Outcome, conclude, go_on, settings_of, unfinished
from slipway.delivery.drift import read_traffic, read_weights
from slipway.delivery.ending import keep_ended
from slipway.delivery.errors import LeaseLostError, left_in_database
from slipway.delivery.filling import owe
from slipway.delivery.gates.facts import WAYS_BACK
from slipway.delivery.gating import HISTORY_DEPTH
from slipway.delivery.leasing import GRACE_SECONDS, URGENT_POLL_SECONDS, LeaseKeeper
from slipway.delivery.machine import TAKING, can_be_stopped, hears
from slipway.delivery.model.lease import Lease
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.rollout import JournalEntry, Kind, Phase, Reason, Rollout
from slipway.delivery.model.route import NO_ROUTES, say_routes
from slipway.delivery.model.target import Target
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.planning import Plan, choose_steps, read_history
from slipway.delivery.ports import Context
from slipway.delivery.rollback_choice import choose_rollback
from slipway.delivery.targeting import known_balancer, quick_target, reachable_target
from slipway.delivery.telling import announce, tell
from slipway.delivery.transitions import enter, take_for_real
from slipway.errors import NotFoundError, SlipwayError, UsageError

OBEYED_SECONDS = 1.0
"""A living owner is given this long to have the traffic back."""
GIVING_UP_SECONDS = 10.0
"""`abandon` tries to bring the traffic back for this long."""

LONG_GONE = timedelta(hours=2)
"""A lease that was not renewed for so long has no owner any more, whatever the clocks say."""


def ask_back(ctx: Context, rollout: Rollout | None, because: str) -> Rollout | None:
    """Ask whoever runs a release to turn back. The rollout once it has; None: it does not, or not soon, so it is done from here."""
    if rollout is None or rollout.phase.ended or rollout.kind is not Kind.RELEASE:
        return None
    _request(ctx, rollout, because)
    began = ctx.clock.monotonic()
    while True:
        lease, current = ctx.ledger.lease(ctx.place), ctx.ledger.rollout(ctx.place)
        if current is None or current.id != rollout.id:
            return None
        if current.phase is Phase.ROLLED_BACK:
            return current
        gone = lease is None or ctx.owner_is_dead(lease.owner) or current.phase.ended
        if gone or not hears(current) or ctx.clock.monotonic() - began >= OBEYED_SECONDS:
            return None
        ctx.clock.sleep(URGENT_POLL_SECONDS)


def grace_seconds(rollout: Rollout | None) -> float:
    """How long whoever is at work on it is let be: not at all where it is a release, whose owner was asked before (see `ask_back`), or has
    ended, so that its owner is at what is owed."""
    let_be = rollout is None or (rollout.kind is not Kind.RELEASE and not rollout.phase.ended)
    return GRACE_SECONDS if let_be else 0.0


def leave(ctx: Context, keeper: LeaseKeeper, to: str | None, because: str, *, turning: bool = False) -> Rollout | None:
    """End the rollout that was under way: turned back, unless it is a way back itself. None: there was none."""
    rollout = unfinished(ctx, keeper)
    if rollout is None or rollout.phase.ended:
        return rollout
    if not turning and rollout.kind is Kind.REHEARSAL and to in {None, _release_of(rollout)}:
        rollout = _without_return(ctx, rollout, because)
    wished = rollout.kind is Kind.SWITCH or (rollout.kind is Kind.ROLLBACK and to in {None, _release_of(rollout)})
    if turning or not wished:
        _request(ctx, rollout, because)
    return go_on(ctx, keeper, rollout)


def _without_return(ctx: Context, rollout: Rollout, because: str) -> Rollout:
    """A rehearsal under way as the way back itself, so that users do not meet the release that is left once more.

    One that is turning back for a reason ends first: the older release may not be able to take the traffic.
    """
    if rollout.reason or ctx.ledger.abort_request(ctx.place, rollout.id) is not None:
        return rollout
    tell(ctx, f"{rollout.kind} {rollout.id} by {rollout.actor} becomes the way back: the traffic stays there")
    return take_for_real(rollout, actor_of(ctx, because), ctx.clock.now())


def actor_of(ctx: Context, because: str) -> str:
    """Who goes back, and why, as it stands in the ledger."""
    return f"{ctx.owner.name}{': ' + because if because else ''}"


def answered(ctx: Context, left: Rollout | None, to: str | None) -> Outcome | None:
    """What whoever wants to go back is told when the rollout that was under way has brought it about already."""
    if left is None:
        return None
    if left.kind in {Kind.SWITCH, Kind.ROLLBACK} and to in {None, _release_of(left)}:
        # It was this very rollback that a dead process had begun: going back once more would undo it.
        return conclude(left, None)
    live = live_release(ctx.ledger.wanted(ctx.place))
    if left.kind is Kind.RELEASE and left.phase is Phase.ROLLED_BACK and to in {None, live}:
        return turned_back(left)
    return None


def live_release(wanted: Wanted) -> str | None:
    """What has the traffic, as the ledger says."""
    running = wanted.colour(wanted.live) if wanted.live else None
    return running.release if running else None


def being_brought_back(ctx: Context, rollout: Rollout | None) -> Rollout | None:
    """The rollout, if its traffic is back while the process that saw to it is still at work, on what is owed."""
    lease = ctx.ledger.lease(ctx.place) if rollout and rollout.ended_at else None
    if rollout is None or lease is None or _is_gone(ctx, lease):
        return None
    back = rollout.phase is Phase.ROLLED_BACK if rollout.kind is Kind.RELEASE else rollout.phase is Phase.COMPLETED
    under_way = lease.fence == rollout.fence  # times would be those of two clocks
    meant = back and under_way and rollout.kind in {Kind.RELEASE, *WAYS_BACK}
    if not meant or unconfirmed(ctx):
        return None
    further = f"`slipway rollback {ctx.place.environment} --to RELEASE` goes further back"
    tell(ctx, f"{lease.owner.name} has seen to it, and is at work on what is owed; {further}")
    return rollout


def _is_gone(ctx: Context, lease: Lease) -> bool:
    """Whether its owner is known to be dead, or cannot live: machines' clocks do not differ by hours. Nobody has time to watch it."""
    return ctx.owner_is_dead(lease.owner) or ctx.clock.now() - lease.heartbeat_at > LONG_GONE


def turned_meanwhile(ctx: Context, before: Rollout | None) -> Rollout | None:
    """The release that was under way when somebody asked for the way back, and is turned back by now. None: it is not, or none was."""
    newest = ctx.ledger.rollout(ctx.place) if before and not before.phase.ended else None
    if before is None or newest is None or newest.id != before.id:
        return None
    return newest if newest.kind is Kind.RELEASE and newest.phase is Phase.ROLLED_BACK else None


def ended_meanwhile(ctx: Context, asked: Rollout) -> Rollout | None:
    """How the rollout ended that somebody wants ended, where another one has begun since: that one is not meant. None: none has."""
    newest = ctx.ledger.rollout(ctx.place)
    if newest is None or newest.id == asked.id:
        return None
    history = read_history(ctx.ledger, ctx.place, HISTORY_DEPTH)
    return next((past for past in history if past.id == asked.id), replace(asked, phase=Phase.COMPLETED))


def finish_other(ctx: Context, keeper: LeaseKeeper, asked: Rollout) -> Rollout | None:
    """See `ended_meanwhile`; the other one, whose lease was taken for this, is brought to its end."""
    ended = ended_meanwhile(ctx, asked)
    other = unfinished(ctx, keeper) if ended else None
    if other and not other.phase.ended:
        go_on(ctx, keeper, other)
    return ended


def gone_back(ctx: Context, leaving: str | None, to: str | None) -> Outcome | None:
    """Somebody else has gone back from the same release while this one waited: going back once more would leave the good one."""
    newest, live = ctx.ledger.rollout(ctx.place), live_release(ctx.ledger.wanted(ctx.place))
    if newest is None or newest.phase is not Phase.COMPLETED or newest.kind not in WAYS_BACK:
        return None
    if leaving is None or live_release(newest.original) != leaving or to not in {None, live}:
        return None
    text = f"{live} is live again: {newest.actor} went back from {leaving} meanwhile"
    return Outcome(status="unchanged", text=text, rollout=newest)


def turned_back(rollout: Rollout) -> Outcome:
    """What is told of a rollout whose traffic is back."""
    left = left_in_database(rollout)
    text = f"rolled back: {rollout.reason_text}{'; ' if left else ''}{left}"
    return Outcome(status="rolled-back", text=text, rollout=rollout)


def give_up(ctx: Context, keeper: LeaseKeeper, because: str) -> Rollout:
    """The rollout under way, ended: turned back if that can be done soon, as it is otherwise."""
    rollout = unfinished(ctx, keeper) or ctx.ledger.rollout(ctx.place)
    if rollout is None:
        raise NotFoundError(f"no rollout of {ctx.place} is under way any more")
    if rollout.phase.ended:
        return rollout
    text = _request(ctx, rollout, because)
    try:
        return go_on(ctx, keeper, rollout, persistence_seconds=GIVING_UP_SECONDS)
    except LeaseLostError:
        raise
    except SlipwayError as error:
        tell(ctx, f"cannot be brought back now: {error.what}")
    now, rollout = ctx.clock.now(), ctx.ledger.rollout(ctx.place) or rollout
    if rollout.phase.ended:
        unfinished(ctx, keeper)
        return rollout
    wanted, rollout = ctx.ledger.wanted(ctx.place), replace(rollout, fence=keeper.lease.fence)
    if rollout.phase is Phase.SETTLING and wanted.live is rollout.colour:
        text, rollout = f"given up while {rollout.phase}", enter(rollout, Phase.COMPLETED, now)
    else:
        intent = replace(wanted, weights=rollout.original.weights)
        if not intent.same_as(wanted):
            ctx.ledger.write_wanted(ctx.place, intent, keeper.lease)
        text = f"{rollout.reason_text or text}; given up while {rollout.phase}"
        rollout = replace(rollout, reason=rollout.reason or Reason.ABORTED, reason_text=text)
        rollout = enter(rollout, Phase.ROLLED_BACK, now)
    entry = JournalEntry(at=now, phase=rollout.phase, event="entered", text=text)
    rollout = replace(rollout, journal=(*rollout.journal, entry))
    owe(ctx, keeper, rollout)
    ctx.ledger.write_rollout(ctx.place, rollout, keeper.lease)
    announce(ctx, keep_ended(ctx, keeper, rollout), keeper.outbox)
    return rollout


def left_behind(ctx: Context, rollout: Rollout | None) -> Rollout | None:
    """The rollout, if it is a release that was given up while the load balancer did not answer, and still has traffic there.

    Once the `up` that it left is done its colour runs what was there before: whoever moved traffic to that wants it there.
    """
    if (
        rollout is None
        or rollout.phase is not Phase.ROLLED_BACK
        or rollout.kind is not Kind.RELEASE
        or Phase.SHIFTING not in rollout.path  # it never had any: what its colour has, a person has moved there
        or not any(owed.debt is Debt.UP for owed in ctx.ledger.owed(ctx.place))
        or (balancer := known_balancer(ctx)) is None
    ):
        return None
    wanted = ctx.ledger.wanted(ctx.place).weights
    try:
        actual = read_weights(ctx, balancer)
    except SlipwayError:
        return None  # the way back itself says what is wrong
    behind = (
        actual is not None and actual in rollout.explained and actual.of(rollout.colour) > wanted.of(rollout.colour)
    )
    return rollout if behind else None


def unconfirmed(ctx: Context) -> str:
    """Said where the load balancer does not have, or does not say that it has, what the ledger wants."""
    wanted, balancer = ctx.ledger.wanted(ctx.place).weights, known_balancer(ctx)
    actual, routes = wanted, NO_ROUTES
    try:
        if balancer:
            state = read_traffic(ctx, balancer)
            actual, routes = state.weights, state.routes
    except SlipwayError:
        actual = None
    if actual == wanted and routes:
        return f"; the load balancer still has {say_routes(routes)}: `slipway resume {ctx.place.environment}` ends them"
    if actual == wanted:
        return ""
    return (
        f"; the load balancer does not confirm {wanted} and has {actual or 'weights that are not known'}: "
        f"`slipway rollback {ctx.place.environment}` or `slipway resume {ctx.place.environment}` sets them"
    )


def what_comes_first(ctx: Context, newest: Rollout | None, abort: str | None) -> str:
    """What a rollback does before it looks for an older release: about a rollout under way, or what one has left; "": nothing."""
    if newest is None or newest.kind in TAKING:
        return ""
    if not newest.phase.ended:
        return _about(newest, abort)
    if not left_behind(ctx, newest):
        return ""
    return f"brings the traffic to {ctx.ledger.wanted(ctx.place).weights}, as it was to be"


def _about(rollout: Rollout, abort: str | None) -> str:
    if rollout.kind is Kind.REHEARSAL and (rollout.reason or abort is not None):
        return "ends the rehearsal, which is turning back, and goes back then"
    if rollout.kind is Kind.REHEARSAL:
        return "makes the rehearsal the way back itself: the traffic stays with the older release"
    if rollout.kind in WAYS_BACK:
        return "takes over the way back that is under way"
    if can_be_stopped(rollout):
        again = " and keeps it from being tried again" if rollout.may_retry else " within seconds"
        return f"brings the traffic back to {rollout.original.weights}{again}"
    if rollout.phase is Phase.SETTLING:
        return "completes it, and goes back from it"
    return f"takes over bringing the traffic back to {rollout.original.weights}"


def plan_way_back(ctx: Context, target: Target, to: str | None, pace: Pace | None) -> Plan:
    """Which release comes back, and how. Changes nothing, and tells nobody."""
    wanted = ctx.ledger.wanted(ctx.place)
    if wanted.live is None:
        raise UsageError(
            "nothing is live here",
            where=str(ctx.place),
            remedy=f"release something first: `slipway release {ctx.place.environment}`",
        )
    choice = choose_rollback(ctx, wanted, target, to)
    return Plan(
        kind=choice.kind,
        release=choice.release,
        colour=wanted.idle,
        candidate=choice.runs,
        steps=choose_steps(choice.kind, wanted, settings_of(ctx, target, pace)),
        refusals=choice.refusals,
        notes=choice.passed_over,
        revision=wanted.revision,
    )


def plan_quickly(ctx: Context, to: str | None, pace: Pace | None) -> tuple[Target, Plan]:
    """The way back and where it leads. An instant one wants nothing of the stack; another one gets its present secrets, and an `up`."""
    target = quick_target(ctx)
    plan = plan_way_back(ctx, target, to, pace)
    if plan.kind is Kind.SWITCH:
        return target, plan
    present = reachable_target(ctx)
    if present.model_copy(update={"notifications": target.notifications}) == target:
        return present, plan  # the registry is not asked about everything once more
    return present, plan_way_back(ctx, present, to, pace)


def _request(ctx: Context, rollout: Rollout, because: str) -> str:
    text = f"aborted by {ctx.owner.name}{': ' + because if because else ''}"
    ctx.ledger.request_abort(ctx.place, rollout.id, text)
    return text


def _release_of(rollout: Rollout) -> str | None:
    return rollout.candidate.release if rollout.candidate else None
