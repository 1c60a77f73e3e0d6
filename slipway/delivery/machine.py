"""The rollout's state machine: pure, one decision at a time, time is a value.

Every decision compares what is wanted with what was observed, so repeating it after a crash is harmless: what is done already is
seen as done, what is half done is done again. Effects that cannot be observed are safe to repeat, and end their phase.
Three rules hold in every phase: the ledger is written before the load balancer is touched, a colour is replaced or taken away only when
the load balancer itself has said that it carries no traffic, and a deadline is looked at only after the world was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from slipway.delivery.holding import hear, hold_in_freeze, wait_for_people
from slipway.delivery.model.analysis import VerdictKind
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.decision import (
    UNOBSERVABLE,
    Act,
    Action,
    Converge,
    Decision,
    Enter,
    Migrate,
    MoveWeights,
    PointTestRoute,
    SetRoutes,
    SmokeTest,
    Wait,
    WriteWanted,
)
from slipway.delivery.model.observation import Observation, Verdict
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout
from slipway.delivery.model.route import NO_ROUTES, Routes
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.retrying import try_again
from slipway.delivery.sizing import ask_for_pods, enough_to_go_back, held_when_back, held_when_settled, size_colours
from slipway.delivery.transitions import attend, enter, turn_back

POLL_SECONDS = 0.25
"""Pause between two looks at something that is about to change (targets, weights)."""
WARM_SECONDS = 15.0
"""A warm colour whose targets are not healthy within this time cannot be switched to: one missed health check is forgiven."""
CONFIRM_SECONDS = 60.0
"""A weight change that the load balancer does not confirm for so long counts as failed. ELBv2 takes seconds."""
TAKING = frozenset({Kind.RETIRE, Kind.CONTRACT})
"""They take a colour away and move no traffic, neither forward nor back: what others have moved meanwhile is not theirs to undo."""


@dataclass(frozen=True, kw_only=True)
class PhaseRule:
    """All there is to know about a phase; its place on a route is in `model.rollout.ROUTES`."""

    decide: Callable[[Rollout, Observation, datetime], Decision]
    failure: Reason | None = None
    """Why the rollout turns back when something fails here; None: it does not turn back, what failed is repeated."""
    reads_balancer: bool = True
    reads_health: bool = False
    reads_test: bool = False
    reads_routes: bool = False
    """Where the stack file has routes."""
    reads_sizes: frozenset[Kind] = frozenset()
    acts_long: bool = False
    """Its act is one long call, during which its owner hears nobody."""


def decide(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    """What to do next. Raises ValueError for a rollout that has ended."""
    if rollout.phase.ended:
        raise ValueError(f"rollout {rollout.id} has ended: {rollout.phase}")
    if seen.abort and turns_back(rollout):
        return Enter(rollout=turn_back(rollout, Reason.ABORTED, seen.abort, now))
    if seen.superseded and rollout.kind is Kind.RELEASE and turns_back(rollout):
        return Enter(rollout=turn_back(rollout, Reason.SUPERSEDED, f"superseded {seen.superseded.signature}", now))
    return hear(rollout, seen, now) or RULES[rollout.phase].decide(rollout, seen, now)


def can_be_stopped(rollout: Rollout) -> bool:
    """Whether a person's word still keeps the release from going on: it turns back for it, or is not tried again."""
    return turns_back(rollout) or rollout.may_retry


def turns_back(rollout: Rollout) -> bool:
    """Whether a failure, or a person, brings the traffic back from here. Later phases only write the ledger, or are on the way back."""
    return not rollout.phase.ended and RULES[rollout.phase].failure is not None


def hears(rollout: Rollout) -> bool:
    """Whether its owner, if it lives, soon has the traffic back because it is asked to."""
    past = rollout.phase.ended or rollout.phase is Phase.SETTLING  # nothing turns back any more
    return not past and not RULES[rollout.phase].acts_long


def fold(rollout: Rollout, action: Action, now: datetime) -> Rollout:
    """The rollout after an action has succeeded."""
    if isinstance(action, UNOBSERVABLE):
        return enter(rollout, rollout.next_phase, now)
    return attend(rollout, now) if isinstance(action, (WriteWanted, SetRoutes)) else rollout


def after_failure(rollout: Rollout, text: str, now: datetime, reason: Reason | None = None) -> Rollout | None:
    """The rollout after an action has failed; None: this phase does not turn back, it is to be repeated."""
    failure = RULES[rollout.phase].failure
    return turn_back(rollout, reason or failure, text, now) if failure else None


def _next(rollout: Rollout, now: datetime) -> Enter:
    return Enter(rollout=enter(rollout, rollout.next_phase, now))


def _overdue(rollout: Rollout, seconds: float, now: datetime) -> bool:
    return now >= rollout.attended_since + timedelta(seconds=seconds)


def _migrating(rollout: Rollout, _seen: Observation, now: datetime) -> Decision:
    return Act(action=Migrate(revisions=rollout.migrations)) if rollout.migrations else _next(rollout, now)


def _deploying(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if used := _turn_from_users(rollout, seen, now, "replaced"):
        return used
    intent = replace(seen.wanted.running(rollout.colour, rollout.candidate), test=rollout.colour)
    if not intent.same_as(seen.wanted):
        release = rollout.candidate.release if rollout.candidate else "nothing"
        return Act(
            action=WriteWanted(wanted=intent, text=f"{rollout.colour} shall run {release}, at its present weight")
        )
    return Act(action=Converge(text=f"bring {rollout.colour} up"))


def _turn_from_users(rollout: Rollout, seen: Observation, now: datetime, meant: str) -> Decision | None:
    """None where the load balancer says that the colour, which is to go, carries nothing. Whoever has moved users there has a reason."""
    carried = _carried(seen, rollout.colour)
    if carried is None and not _overdue(rollout, CONFIRM_SECONDS, now):
        return Wait(seconds=POLL_SECONDS, text="the load balancer does not say who has the traffic")
    if carried == 0:
        return None
    part = carried or "an unknown part"
    text = f"{rollout.colour} was to be {meant}, and the load balancer gives it {part} % of the traffic"
    return Enter(rollout=turn_back(rollout, Reason.TRAFFIC_UNEXPLAINED, text, now))


def patience_seconds(rollout: Rollout) -> float:
    """How long targets may take to be healthy. A warm colour is healthy or it is not: whoever rolls back needs to know at once."""
    warm = rollout.kind in {Kind.SWITCH, Kind.REHEARSAL}
    return min(rollout.settings.health_seconds, WARM_SECONDS if warm else math.inf)


def _waiting(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    health = seen.health
    if health and (health.all_healthy or enough_to_go_back(rollout, seen)):
        return _next(rollout, now)
    if rollout.kind is Kind.ROLLBACK and (asked := ask_for_pods(rollout, seen, now)):
        return asked
    if health and health.crash_loop:
        text = f"pods of {rollout.colour} end again and again: {health}"
        return Enter(rollout=turn_back(rollout, Reason.TARGETS_UNHEALTHY, text, now))
    patience = patience_seconds(rollout)
    if _overdue(rollout, patience, now):
        text = f"targets of {rollout.colour} were not all healthy within {patience:g} s: {health}"
        return Enter(rollout=turn_back(rollout, Reason.TARGETS_UNHEALTHY, text, now))
    return Wait(seconds=POLL_SECONDS, text=f"targets of {rollout.colour} at the load balancer: {health}")


def _smoking(rollout: Rollout, seen: Observation, _now: datetime) -> Decision:
    if seen.balancer and seen.balancer.test is not rollout.colour:
        return Act(action=PointTestRoute(colour=rollout.colour))
    return Act(action=SmokeTest(live=False))


def _sizing(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if rollout.baking_since and seen.balancer and seen.balancer.weights != rollout.weights:
        return Enter(rollout=enter(rollout, Phase.SHIFTING, now))
    if turned := _turn_before_step(rollout, seen, now):
        return turned
    if first := hold_in_freeze(rollout, seen, now) or _set_routes(seen, rollout.routes):
        return first
    coming = rollout.coming_step
    if waits := wait_for_people(rollout, coming, now) or size_colours(rollout, seen, now):
        return waits
    return _next(replace(rollout, step=coming), now)


def _turn_before_step(rollout: Rollout, seen: Observation, now: datetime) -> Enter | None:
    """The way back from a candidate that shall get no more traffic. One that had none yet is not judged."""
    looked_at = seen.rejected or rollout.baking_since or rollout.routes
    return _turn_from_bad(rollout, seen, now) if looked_at else None


def _set_weights(seen: Observation, intent: Wanted) -> Decision | None:
    """Ledger first, then the load balancer; None once the load balancer has confirmed what this process asked for.

    What somebody asked for before may not hold yet: weights that are right by chance would prove nothing. The last word counts.
    """
    if not intent.same_as(seen.wanted):
        return Act(action=WriteWanted(wanted=intent, text=f"weights shall be {intent.weights}"))
    if seen.balancer is None or seen.balancer.weights != intent.weights or seen.asked != intent.weights:
        return Act(action=MoveWeights(weights=intent.weights))
    return None


def _set_routes(seen: Observation, routes: Routes) -> Act | None:
    """None where they are as they should be, or were not looked at."""
    found = seen.balancer.routes if seen.balancer else None
    return None if found is None or found == routes else Act(action=SetRoutes(routes=routes))


def _shifting(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if rollout.step == 0 and seen.wanted.weights != rollout.weights and (waits := wait_for_people(rollout, 0, now)):
        return waits
    change = _set_weights(seen, replace(seen.wanted, weights=rollout.weights))
    if change and _overdue(rollout, CONFIRM_SECONDS, now):
        actual = seen.balancer.weights if seen.balancer else None
        text = f"the load balancer did not confirm {rollout.weights} within {CONFIRM_SECONDS:g} s; it says {actual}"
        return Enter(rollout=turn_back(rollout, Reason.WEIGHTS_NOT_CONFIRMED, text, now))
    if change and seen.health and seen.health.healthy == 0:
        text = f"{rollout.colour} has no healthy target to move traffic to: {seen.health}"
        return Enter(rollout=turn_back(rollout, Reason.TARGETS_UNHEALTHY, text, now))
    return change or _next(_begin_bake(rollout, now), now)


def _begin_bake(rollout: Rollout, now: datetime) -> Rollout:
    if rollout.kind is Kind.REHEARSAL:
        passed = (now - rollout.started_at).total_seconds() - rollout.timings.get(Phase.SIZING, 0.0)
        rollout = replace(rollout, timings={"way_back": round(passed, 3), **rollout.timings})
    return replace(rollout, baking_since=now, extensions=0, paused_seconds=0.0, paused_since=rollout.pause and now)


def _baking(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if seen.balancer and seen.balancer.weights != rollout.weights:
        # Somebody else moved the weights: numbers measured under other weights would prove nothing.
        return Enter(rollout=enter(rollout, Phase.SHIFTING, now))
    if turned := _turn_from_bad(rollout, seen, now):
        return turned
    step, verdict = rollout.steps[rollout.step], seen.verdict
    if rollout.pause and (waits := wait_for_people(rollout, None, now)):
        return waits
    skipped = rollout.bake in rollout.skipped
    if not skipped and now < rollout.bake_ends_at:
        remaining = (rollout.bake_ends_at - now).total_seconds()
        return Wait(
            seconds=min(remaining, rollout.settings.analysis_interval_seconds), text=f"baking at {step.percent} %"
        )
    return _after_bake(rollout, verdict, now) if step.analyse and not skipped else _next_step(rollout, now)


def _turn_from_bad(rollout: Rollout, seen: Observation, now: datetime) -> Enter | None:
    """The way back from a candidate that is dead or bad, or was found to be bad where it came from."""
    if seen.rejected:
        return Enter(rollout=turn_back(rollout, Reason.REJECTED_UPSTREAM, seen.rejected, now))
    if seen.health and seen.health.healthy == 0:
        text = f"{rollout.colour} has no healthy target left: {seen.health}"
        return Enter(rollout=turn_back(rollout, Reason.TARGETS_UNHEALTHY, text, now))
    verdict = seen.verdict
    if rollout.steps[rollout.step].analyse and verdict and verdict.kind is VerdictKind.FAIL:
        return Enter(rollout=turn_back(rollout, verdict.reason, verdict.text, now, verdict.numbers))
    return None


def _after_bake(rollout: Rollout, verdict: Verdict | None, now: datetime) -> Decision:
    if verdict and verdict.unanswered:
        return Wait(seconds=rollout.settings.analysis_interval_seconds, text=verdict.unanswered)
    if verdict is None or verdict.kind is VerdictKind.NO_DATA:
        return _without_data(rollout, verdict, now)
    if verdict.kind is VerdictKind.UNDECIDED and rollout.extensions < rollout.settings.max_extensions:
        return Enter(rollout=attend(replace(rollout, extensions=rollout.extensions + 1), now))
    return _next_step(rollout, now)


def _next_step(rollout: Rollout, now: datetime) -> Decision:
    if rollout.step + 1 < len(rollout.steps):
        if waits := wait_for_people(rollout, rollout.step + 1, now):
            return waits
        return Enter(rollout=enter(rollout, Phase.SIZING, now))
    return _next(rollout, now)


def _without_data(rollout: Rollout, verdict: Verdict | None, now: datetime) -> Decision:
    policy = (verdict and verdict.on_no_data) or rollout.settings.on_no_data
    text = verdict.text if verdict else "no analysis was made"
    if policy == "pass":
        return _next_step(rollout, now)
    if policy == "hold" and rollout.extensions < rollout.settings.max_extensions:
        return Enter(rollout=attend(replace(rollout, extensions=rollout.extensions + 1), now))
    extended = f" after {rollout.extensions} extensions" if rollout.extensions else ""
    return Enter(
        rollout=turn_back(rollout, Reason.NO_DATA, f"{text}{extended}", now, verdict.numbers if verdict else None)
    )


def _nodes_follow(rollout: Rollout, since: datetime, now: datetime) -> Wait | None:
    """The control plane has confirmed the weights at `since`; until its nodes have them, the other colour's pods answer users."""
    remaining = (since + timedelta(seconds=rollout.settings.settle_seconds) - now).total_seconds()
    return Wait(seconds=remaining, text="the load balancer's nodes follow its control plane") if remaining > 0 else None


def _verifying(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if seen.balancer and seen.balancer.weights != rollout.weights:
        return Enter(rollout=enter(rollout, Phase.SHIFTING, now))
    return _nodes_follow(rollout, rollout.baking_since or now, now) or Act(action=SmokeTest(live=True))


def _settling(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    intent = replace(held_when_settled(rollout, seen.wanted), live=rollout.colour, test=rollout.colour.other)
    if not intent.same_as(seen.wanted):
        return Act(action=WriteWanted(wanted=intent, text=f"{rollout.colour} is live"))
    if change := _set_routes(seen, NO_ROUTES):  # before the end: nothing else takes away what leads to one colour
        return change
    return _nodes_follow(rollout, rollout.baking_since or rollout.phase_started_at, now) or _next(rollout, now)


def _retiring(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if used := _turn_from_users(rollout, seen, now, "taken away"):
        return used
    intent = seen.wanted.running(rollout.colour, None)
    if not intent.same_as(seen.wanted):
        return _nodes_follow(rollout, rollout.phase_started_at, now) or Act(
            action=WriteWanted(wanted=intent, text=f"{rollout.colour} shall run nothing")
        )
    if rollout.kind is Kind.CONTRACT:  # its migrations must not meet the old code
        return Act(action=Converge(text=f"take {rollout.colour} away"))
    return _next(rollout, now)


def _returning(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    original = rollout.original.weights
    moved = Phase.SHIFTING in rollout.path
    asked = seen.asked if moved else original
    change = _set_weights(replace(seen, asked=asked), replace(seen.wanted, weights=original))
    if change and rollout.kind not in TAKING:
        return change
    back = (now - rollout.phase_started_at).total_seconds()
    return Enter(
        rollout=enter(
            replace(rollout, timings={**rollout.timings, "weights_back": round(back, 3)}), Phase.CLEANING, now
        )
    )


def _cleaning(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if rollout.kind not in TAKING and _carried(seen, rollout.colour) != rollout.original.weights.of(rollout.colour):
        return Enter(rollout=enter(rollout, Phase.RETURNING, now))
    if change := _set_routes(seen, NO_ROUTES):  # after the weights: rules that cannot be read must not keep those
        return change
    running, before = seen.wanted.colour(rollout.colour), rollout.original.colour(rollout.colour)
    intent, text = seen.wanted, "the colours keep the pods that they had"
    replaced = running and Phase.DEPLOYING in rollout.path and running == rollout.candidate != before
    kept = rollout.kind in TAKING and Phase.CONTRACTING not in rollout.path
    if replaced or (kept and running != before):
        # What was warm there is the way back from the release that stays live.
        intent = seen.wanted.running(rollout.colour, before)
        text = f"{rollout.colour} shall run {before.release if before else 'nothing'} again"
    intent = held_when_back(rollout, intent)
    if not intent.same_as(seen.wanted):
        follows = _nodes_follow(rollout, rollout.attended_since, now) if rollout.was_shown else None
        return follows or Act(action=WriteWanted(wanted=intent, text=text))
    if rollout.was_shown and (waits := _nodes_follow(rollout, rollout.phase_started_at, now)):
        return waits  # a release may come next, and replaces the colour
    if rollout.may_retry:
        return try_again(rollout, seen, now)
    return Enter(rollout=enter(rollout, Phase.ROLLED_BACK if rollout.reason else rollout.next_phase, now))


def _carried(seen: Observation, colour: Colour) -> int | None:
    weights: Weights | None = seen.balancer.weights if seen.balancer else None
    return weights.of(colour) if weights else None


RULES: Mapping[Phase, PhaseRule] = {
    Phase.MIGRATING: PhaseRule(
        decide=_migrating, failure=Reason.MIGRATION_FAILED, reads_balancer=False, acts_long=True
    ),
    Phase.DEPLOYING: PhaseRule(decide=_deploying, failure=Reason.DEPLOYMENT_FAILED, acts_long=True),
    Phase.WAITING: PhaseRule(
        decide=_waiting,
        failure=Reason.TARGETS_UNHEALTHY,
        reads_balancer=False,
        reads_health=True,
        reads_sizes=frozenset({Kind.ROLLBACK}),
    ),
    Phase.SMOKING: PhaseRule(decide=_smoking, failure=Reason.SMOKE_TEST_FAILED, reads_test=True, acts_long=True),
    Phase.SIZING: PhaseRule(
        decide=_sizing,
        failure=Reason.CAPACITY_MISSING,
        reads_health=True,
        reads_routes=True,
        reads_sizes=frozenset({Kind.RELEASE, Kind.REHEARSAL}),
    ),
    Phase.SHIFTING: PhaseRule(decide=_shifting, failure=Reason.WEIGHTS_NOT_CONFIRMED, reads_health=True),
    Phase.BAKING: PhaseRule(decide=_baking, failure=Reason.DEPLOYMENT_FAILED, reads_health=True),
    Phase.VERIFYING: PhaseRule(decide=_verifying, failure=Reason.SMOKE_TEST_FAILED, acts_long=True),
    Phase.SETTLING: PhaseRule(decide=_settling, reads_balancer=False, reads_routes=True),
    Phase.RETIRING: PhaseRule(decide=_retiring, failure=Reason.DEPLOYMENT_FAILED, acts_long=True),
    Phase.CONTRACTING: PhaseRule(
        decide=_migrating, failure=Reason.MIGRATION_FAILED, reads_balancer=False, acts_long=True
    ),
    Phase.RETURNING: PhaseRule(decide=_returning),
    Phase.CLEANING: PhaseRule(decide=_cleaning, reads_routes=True),
}
