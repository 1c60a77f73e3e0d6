"""What a rollout tells while it runs: typed events for the terminal, the dashboard and notifications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.rollout import Phase, Rollout


class EventFacts(TypedDict):
    """What every event is made with."""

    at: datetime
    environment: str
    service: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events."""

    at: datetime
    environment: str
    service: str
    text: str
    """One line for people."""


@dataclass(frozen=True, kw_only=True)
class Notice(Event):
    """Something worth a line: a lease waited for, a dead owner's rollout taken over."""


@dataclass(frozen=True, kw_only=True)
class RolloutStarted(Event):
    """A rollout has begun, or goes on after a crash."""

    rollout: Rollout
    resumed: bool = False


@dataclass(frozen=True, kw_only=True)
class PhaseEntered(Event):
    """The rollout is in another phase, or in another step of one."""

    rollout: Rollout
    phase: Phase


@dataclass(frozen=True, kw_only=True)
class RolloutRetried(PhaseEntered):
    """Something failed, the traffic is back, and the rollout begins again by itself."""


@dataclass(frozen=True, kw_only=True)
class ActionStarted(Event):
    """Something is about to be changed."""

    rollout: Rollout


@dataclass(frozen=True, kw_only=True)
class PeopleAsked(Event):
    """Somebody paused the rollout or let it go on, or a step waits for an approval."""

    rollout: Rollout


@dataclass(frozen=True, kw_only=True)
class Waiting(Event):
    """Nothing to do for a moment; `text` says what is waited for."""

    rollout: Rollout
    seconds: float


@dataclass(frozen=True, kw_only=True)
class WeightsConfirmed(Event):
    """The load balancer has confirmed new weights."""

    rollout: Rollout
    weights: Weights


@dataclass(frozen=True, kw_only=True)
class Analysed(Event):
    """One analysis window was judged."""

    rollout: Rollout
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, kw_only=True)
class LogLine(Event):
    """A line of a migration's or of the program's own output, scrubbed."""

    source: str


@dataclass(frozen=True, kw_only=True)
class RolloutEnded(Event):
    """The rollout has completed or was rolled back; `rollout.timings` has the seconds."""

    rollout: Rollout
    live: Colour | None


@dataclass(frozen=True, kw_only=True)
class RolloutGivenUp(Event):
    """A process has stopped trying; the rollout stays where it is until a person acts."""

    rollout: Rollout


@dataclass(frozen=True, kw_only=True)
class StillOwed(Event):
    """Work that was left when the traffic had been decided failed again."""


@dataclass(frozen=True, kw_only=True)
class BackfillSeen(Event):
    """A backfill was started, goes on, or is complete."""

    revision: str
    done: bool


Progress = Callable[[Event], None]


def ignore_events(_event: Event) -> None:
    """For callers who do not listen."""
