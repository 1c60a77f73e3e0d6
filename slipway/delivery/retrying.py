"""Another attempt of a release that failed for something that it did, not for what was seen of it. Pure: time is a value."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from slipway.delivery.model.decision import Decision, Enter, Wait
from slipway.delivery.model.observation import Observation
from slipway.delivery.model.rollout import Phase, Reason, Rollout
from slipway.delivery.transitions import begin_again, enter

RETRY_SECONDS = 10.0
"""Before the second attempt, and twice as long before each further one: an API that failed may be well again by then."""
LOOK_SECONDS = 1.0
"""A move of the traffic that takes effect late is seen this soon."""


def retry_at(rollout: Rollout) -> datetime:
    """When the next attempt may begin."""
    return rollout.attended_since + timedelta(seconds=RETRY_SECONDS * 2**rollout.retried)


def retry_due(rollout: Rollout, now: datetime) -> bool:
    """Whether the gates are to be asked: another attempt would begin now."""
    return rollout.may_retry and rollout.phase is Phase.CLEANING and now >= retry_at(rollout)


def next_attempt(rollout: Rollout) -> str:
    """For messages."""
    return f"attempt {rollout.retried + 2} of {rollout.settings.retries + 1}"


def try_again(rollout: Rollout, seen: Observation, now: datetime) -> Decision:
    """The next attempt of what is turned back and cleaned up, or the end where a person or a gate stands against it."""
    superseded = f"superseded {seen.superseded.signature}" if seen.superseded else ""
    against = seen.abort or superseded or seen.barred
    if against:
        text = f"{rollout.reason_text}; not tried again: {against}"
        # What failed was to be tried again, so it said nothing against the release yet.
        reason = Reason.SUPERSEDED if superseded and not seen.abort else rollout.reason
        return Enter(rollout=enter(replace(rollout, reason=reason, reason_text=text), Phase.ROLLED_BACK, now))
    if seen.barred is None:
        seconds = min(max((retry_at(rollout) - now).total_seconds(), 0.0), LOOK_SECONDS)
        return Wait(seconds=seconds, text=f"before {next_attempt(rollout)}")
    return Enter(rollout=begin_again(rollout, now))
