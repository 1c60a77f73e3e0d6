"""Which events are told to others, under which name, and with which facts. Names follow Argo Rollouts' triggers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slipway.delivery.events import (
    BackfillSeen,
    Event,
    PeopleAsked,
    RolloutEnded,
    RolloutGivenUp,
    RolloutRetried,
    RolloutStarted,
    StillOwed,
    WeightsConfirmed,
)
from slipway.delivery.model.rollout import Phase, Rollout


def notification_names(event: Event) -> Iterator[str]:
    """The names an event is told under; none for those that only a terminal wants."""
    if isinstance(event, RolloutStarted):
        yield "on-rollout-resumed" if event.resumed else "on-rollout-started"
        if event.rollout.promoted_from and not event.resumed:
            yield "on-promotion-started"
    elif isinstance(event, RolloutRetried):
        yield "on-rollout-retried"
    elif isinstance(event, WeightsConfirmed):
        yield "on-rollout-step-completed"
    elif isinstance(event, PeopleAsked):
        yield "on-rollout-paused" if event.rollout.waits_for else "on-rollout-updated"
    elif isinstance(event, RolloutGivenUp):
        yield "on-rollout-given-up"
    elif isinstance(event, StillOwed):
        yield "on-work-owed"
    elif isinstance(event, BackfillSeen):
        if event.done:
            yield "on-backfill-completed"
    elif isinstance(event, RolloutEnded):
        good = event.rollout.phase is Phase.COMPLETED
        yield "on-rollout-completed" if good else "on-rollout-aborted"
        if event.rollout.promoted_from:
            yield "on-promotion-completed" if good else "on-promotion-failed"


def facts_of(event: Event) -> dict[str, Any]:
    """The facts that go with a notification: plain JSON values, no logs, nothing secret."""
    facts: dict[str, Any] = {
        "at": event.at.isoformat(),
        "environment": event.environment,
        "service": event.service,
        "text": event.text,
    }
    rollout: Rollout | None = getattr(event, "rollout", None)
    if rollout is None:
        return facts
    facts |= {"rollout": rollout.id, "kind": rollout.kind.value, "phase": rollout.phase.value, "actor": rollout.actor}
    if rollout.candidate:
        facts |= {"release": rollout.candidate.release, "version": rollout.candidate.version}
    if rollout.steps:
        facts["percent"] = rollout.steps[rollout.step].percent
    if rollout.promoted_from:
        facts["promotedFrom"] = rollout.promoted_from
    if rollout.retried:
        facts |= {"retried": rollout.retried, "failedBefore": rollout.failed_before}
    if rollout.reason:
        facts |= {"reason": rollout.reason.value, "why": rollout.reason_text, "numbers": dict(rollout.numbers)}
    if isinstance(event, RolloutEnded):
        facts["seconds"] = dict(rollout.timings)
    return facts
