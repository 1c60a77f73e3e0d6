"""The rollout's state machine: pure, one decision at a time, time is a value.

Every decision compares what is wanted with what was observed, so repeating it after a crash is harmless: what is done already is
seen as done, what is half done is done again. Effects that cannot be observed cheaply leave a mark, and are safe to repeat.
Two rules hold in every phase: the ledger is written before the load balancer is touched, and a colour is taken away only when the load
balancer itself has said that it carries no traffic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from slipway.delivery.model.analysis import VerdictKind
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.decision import (
    Act,
    Action,
    Converge,
    Decision,
    Enter,
    Migrate,
    MoveWeights,
    PointTestListener,
    RecordHold,
    RecordVerified,
    SmokeTest,
    Wait,
    WriteWanted,
)
from slipway.delivery.model.observation import Observation, Verdict
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout
from slipway.delivery.model.wanted import Wanted

POLL_SECONDS = 0.25
"""Pause between two looks at something that is about to change (targets, weights)."""
WARM_SECONDS = 15.0
"""A warm colour whose targets are not healthy within this time cannot be switched to: one missed health check is forgiven."""
CONFIRM_SECONDS = 60.0
"""A weight change that the load balancer does not confirm for so long counts as failed. ELBv2 takes seconds."""

TURNS_BACK = frozenset(
    {Phase.MIGRATING, Phase.DEPLOYING, Phase.WAITING, Phase.SMOKING, Phase.SHIFTING, Phase.BAKING, Phase.VERIFYING}
)
"""Phases in which a failure brings the traffic back by itself. Later ones only repeat: the new release is good and has the traffic."""

FAILURE_REASONS: Mapping[Phase, Reason] = {
    Phase.MIGRATING: Reason.MIGRATION_FAILED,
    Phase.DEPLOYING: Reason.DEPLOYMENT_FAILED,
    Phase.WAITING: Reason.TARGETS_UNHEALTHY,
    Phase.SMOKING: Reason.SMOKE_TEST_FAILED,
    Phase.SHIFTING: Reason.WEIGHTS_NOT_CONFIRMED,
    Phase.VERIFYING: Reason.SMOKE_TEST_FAILED,
}


def decide(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    """What to do next. Raises ValueError for a rollout that has ended."""
    if rollout.phase.ended:
        raise ValueError(f"rollout {rollout.id} has ended: {rollout.phase}")
    if seen.abort and rollout.phase in TURNS_BACK:
        return Enter(rollout=turn_back(rollout, Reason.ABORTED, seen.abort, now))
    return _DECIDERS[rollout.phase](rollout, seen, now)


def fold(rollout: Rollout, action: Action, now: datetime) -> Rollout:
    """The rollout after an action has succeeded."""
    mark = getattr(action, "mark", "")
    return replace(rollout, marks={**rollout.marks, mark: now}) if mark else rollout


def after_failure(rollout: Rollout, text: str, now: datetime) -> Rollout | None:
    """The rollout after an action has failed; None: this phase does not turn back, it is to be repeated."""
    if rollout.phase not in TURNS_BACK:
        return None
    return turn_back(rollout, FAILURE_REASONS.get(rollout.phase, Reason.DEPLOYMENT_FAILED), text, now)


def enter(rollout: Rollout, phase: Phase, now: datetime) -> Rollout:
    """The rollout in another phase, with the seconds of the one it leaves."""
    spent = rollout.timings.get(rollout.phase, 0.0) + (now - rollout.phase_started_at).total_seconds()
    return replace(
        rollout,
        phase=phase,
        phase_started_at=now,
        path=(*rollout.path, phase),
        timings={**rollout.timings, rollout.phase: round(spent, 3)},
        ended_at=now if phase.ended else None,
    )


def turn_back(
    rollout: Rollout, reason: Reason, text: str, now: datetime, numbers: Mapping[str, float] | None = None
) -> Rollout:
    """The rollout on its way back, with the reason and the numbers that decided."""
    exposed_since = rollout.baking_since or rollout.phase_started_at
    turned = enter(rollout, Phase.RETURNING, now)
    timings = {**turned.timings, "detect": round((now - exposed_since).total_seconds(), 3)}
    return replace(turned, reason=reason, reason_text=text, numbers=dict(numbers or {}), timings=timings)


def _next(rollout: Rollout, now: datetime) -> Enter:
    return Enter(rollout=enter(rollout, rollout.next_phase, now))


def _overdue(rollout: Rollout, seconds: float, now: datetime) -> bool:
    return now >= rollout.phase_started_at + timedelta(seconds=seconds)


def _migrating(rollout: Rollout, _seen: Observation, now: datetime) -> Decision:
    if rollout.migrations and "expanded" not in rollout.marks:
        return Act(action=Migrate(revisions=rollout.migrations, mark="expanded"))
    return _next(rollout, now)


def _deploying(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    intent = replace(seen.wanted.running(rollout.colour, rollout.candidate), test=rollout.colour)
    if not intent.same_as(seen.wanted):
        release = rollout.candidate.release if rollout.candidate else "nothing"
        return Act(
            action=WriteWanted(wanted=intent, text=f"{rollout.colour} shall run {release}, at its present weight")
        )
    if "deployed" not in rollout.marks:
        return Act(action=Converge(mark="deployed", text=f"bring {rollout.colour} up"))
    return _next(rollout, now)


def _waiting(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    health = seen.health
    if health and health.all_healthy:
        return _next(rollout, now)
    # A warm colour is healthy or it is not: whoever rolls back needs to know at once.
    patience = min(rollout.settings.health_seconds, WARM_SECONDS if rollout.kind is Kind.SWITCH else math.inf)
    if _overdue(rollout, patience, now):
        text = f"targets of {rollout.colour} were not all healthy within {patience:g} s: {health}"
        return Enter(rollout=turn_back(rollout, Reason.TARGETS_UNHEALTHY, text, now))
    return Wait(seconds=POLL_SECONDS, text=f"targets of {rollout.colour} at the load balancer: {health}")


def _smoking(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if seen.balancer and seen.balancer.test is not rollout.colour:
        return Act(action=PointTestListener(colour=rollout.colour))
    if "smoked" not in rollout.marks:
        return Act(action=SmokeTest(live=False, mark="smoked"))
    return _next(rollout, now)


def _set_weights(seen: Observation, intent: Wanted) -> Decision | None:
    """Ledger first, then the load balancer; None once the load balancer has confirmed."""
    if not intent.same_as(seen.wanted):
        return Act(action=WriteWanted(wanted=intent, text=f"weights shall be {intent.weights}"))
    if seen.balancer is None or seen.balancer.weights != intent.weights:
        return Act(action=MoveWeights(weights=intent.weights))
    return None


def _shifting(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if _overdue(rollout, CONFIRM_SECONDS, now):
        actual = seen.balancer.weights if seen.balancer else None
        text = f"the load balancer did not confirm {rollout.weights} within {CONFIRM_SECONDS:g} s; it says {actual}"
        return Enter(rollout=turn_back(rollout, Reason.WEIGHTS_NOT_CONFIRMED, text, now))
    change = _set_weights(seen, replace(seen.wanted, weights=rollout.weights))
    if change:
        return change
    return _next(replace(rollout, baking_since=now, extensions=0), now)


def _baking(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if seen.balancer and seen.balancer.weights != rollout.weights:
        # Somebody else moved the weights: numbers measured under other weights would prove nothing.
        return Enter(rollout=enter(rollout, Phase.SHIFTING, now))
    if seen.health and seen.health.healthy == 0:
        text = f"{rollout.colour} has no healthy target left: {seen.health}"
        return Enter(rollout=turn_back(rollout, Reason.TARGETS_UNHEALTHY, text, now))
    step, verdict = rollout.steps[rollout.step], seen.verdict
    if step.analyse and verdict and verdict.kind is VerdictKind.FAIL:
        return Enter(rollout=turn_back(rollout, verdict.reason, verdict.text, now, verdict.numbers))
    if now < rollout.bake_ends_at:
        remaining = (rollout.bake_ends_at - now).total_seconds()
        return Wait(
            seconds=min(remaining, rollout.settings.analysis_interval_seconds), text=f"baking at {step.percent} %"
        )
    return _after_bake(rollout, verdict, now) if step.analyse else _next_step(rollout, now)


def _after_bake(rollout: Rollout, verdict: Verdict | None, now: datetime) -> Decision:
    if verdict is None or verdict.kind is VerdictKind.NO_DATA:
        return _without_data(rollout, verdict, now)
    if verdict.kind is VerdictKind.UNDECIDED and rollout.extensions < rollout.settings.max_extensions:
        return Enter(rollout=replace(rollout, extensions=rollout.extensions + 1))
    return _next_step(rollout, now)


def _next_step(rollout: Rollout, now: datetime) -> Enter:
    if rollout.step + 1 < len(rollout.steps):
        return Enter(rollout=enter(replace(rollout, step=rollout.step + 1), Phase.SHIFTING, now))
    return _next(rollout, now)


def _without_data(rollout: Rollout, verdict: Verdict | None, now: datetime) -> Decision:
    policy = (verdict and verdict.on_no_data) or rollout.settings.on_no_data
    text = verdict.text if verdict else "no analysis was made"
    if policy == "pass":
        return _next_step(rollout, now)
    if policy == "hold" and rollout.extensions < rollout.settings.max_extensions:
        return Enter(rollout=replace(rollout, extensions=rollout.extensions + 1))
    extended = f" after {rollout.extensions} extensions" if rollout.extensions else ""
    return Enter(
        rollout=turn_back(rollout, Reason.NO_DATA, f"{text}{extended}", now, verdict.numbers if verdict else None)
    )


def _verifying(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if seen.balancer and seen.balancer.weights != rollout.weights:
        return Enter(rollout=enter(rollout, Phase.SHIFTING, now))
    if "verified-live" not in rollout.marks:
        return Act(action=SmokeTest(live=True, mark="verified-live"))
    return _next(rollout, now)


def _settling(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    intent = replace(seen.wanted, live=rollout.colour, test=rollout.colour.other)
    if not intent.same_as(seen.wanted):
        return Act(action=WriteWanted(wanted=intent, text=f"{rollout.colour} is live"))
    if rollout.kind is Kind.RELEASE and rollout.candidate and "verified" not in rollout.marks:
        return Act(action=RecordVerified(release=rollout.candidate.release))
    left = rollout.original.colour(rollout.original.live) if rollout.original.live else None
    if rollout.kind is not Kind.RELEASE and left and "held" not in rollout.marks:
        return Act(action=RecordHold(release=left.release, because=f"rolled back by {rollout.actor}"))
    if "settled" not in rollout.marks:
        return Act(action=Converge(mark="settled", text="bring the stack's state in line"))
    return _next(rollout, now)


def _retiring(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if _carried(seen, rollout.colour) != 0:
        # Taking the colour away before the load balancer says 0 would lose requests.
        return Act(action=MoveWeights(weights=seen.wanted.weights))
    intent = seen.wanted.running(rollout.colour, None)
    if not intent.same_as(seen.wanted):
        return Act(action=WriteWanted(wanted=intent, text=f"{rollout.colour} shall run nothing"))
    if "retired" not in rollout.marks:
        return Act(action=Converge(mark="retired", text=f"take {rollout.colour} away"))
    return _next(rollout, now)


def _contracting(rollout: Rollout, _seen: Observation, now: datetime) -> Decision:
    if rollout.migrations and "contracted" not in rollout.marks:
        return Act(action=Migrate(revisions=rollout.migrations, mark="contracted"))
    return _next(rollout, now)


def _returning(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    change = _set_weights(seen, replace(seen.wanted, weights=rollout.original.weights))
    if change:
        return change
    back = (now - rollout.phase_started_at).total_seconds()
    return Enter(
        rollout=enter(
            replace(rollout, timings={**rollout.timings, "weights_back": round(back, 3)}), Phase.CLEANING, now
        )
    )


def _cleaning(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    if _carried(seen, rollout.colour) != rollout.original.weights.of(rollout.colour):
        return Enter(rollout=enter(rollout, Phase.RETURNING, now))
    touched, before = Phase.DEPLOYING in rollout.path, rollout.original.colour(rollout.colour)
    if touched and seen.wanted.colour(rollout.colour) != before:
        # What was warm there is the instant way back from the release that stays live.
        intent = seen.wanted.running(rollout.colour, before)
        text = f"{rollout.colour} shall run {before.release if before else 'nothing'} again"
        return Act(action=WriteWanted(wanted=intent, text=text))
    if rollout.kind is Kind.RELEASE and rollout.candidate and "held" not in rollout.marks:
        return Act(
            action=RecordHold(release=rollout.candidate.release, because=f"{rollout.reason}: {rollout.reason_text}")
        )
    if (touched or Phase.SHIFTING in rollout.path) and "cleaned" not in rollout.marks:
        return Act(action=Converge(mark="cleaned", text="bring the stack back"))
    return Enter(rollout=enter(rollout, Phase.ROLLED_BACK, now))


def _carried(seen: Observation, colour: Colour) -> int | None:
    weights: Weights | None = seen.balancer.weights if seen.balancer else None
    return weights.of(colour) if weights else None


_DECIDERS: Mapping[Phase, Callable[[Rollout, Observation, datetime], Decision]] = {
    Phase.MIGRATING: _migrating,
    Phase.DEPLOYING: _deploying,
    Phase.WAITING: _waiting,
    Phase.SMOKING: _smoking,
    Phase.SHIFTING: _shifting,
    Phase.BAKING: _baking,
    Phase.VERIFYING: _verifying,
    Phase.SETTLING: _settling,
    Phase.RETIRING: _retiring,
    Phase.CONTRACTING: _contracting,
    Phase.RETURNING: _returning,
    Phase.CLEANING: _cleaning,
}
