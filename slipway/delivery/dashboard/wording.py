"""What the pages say of places and rollouts: pure, for the templates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

from slipway.delivery.analysis.judge import Finding, find, judge
from slipway.delivery.analysis.unanswered import decided_at
from slipway.delivery.model.observation import Verdict
from slipway.delivery.model.rollout import Phase, Rollout
from slipway.delivery.model.status import PlaceStatus

TIMINGS = {"detect": "until the fault was seen", "weights_back": "until the traffic was back"}


def clock(moment: datetime) -> str:
    """In the zone of whoever runs the dashboard."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def words(name: str) -> str:
    """A name of the ledger as people say it."""
    return TIMINGS.get(name) or name.replace("-", " ").replace("_", " ")


def percent(ratio: float | None) -> str:
    """A share; "?" when it is not known."""
    return "?" if ratio is None else f"{ratio:.2%}".replace("%", " %")


def headline(rollout: Rollout) -> str:
    """What a rollout is, or was, in a few words."""
    candidate = rollout.candidate
    name = f"{rollout.kind.value} {candidate.version}" if candidate else rollout.kind.value
    return f"{name}: {words(rollout.phase.value)}{f', attempt {rollout.retried + 1}' if rollout.retried else ''}"


def step_state(rollout: Rollout, number: int) -> str:
    """`done`, `current`, `failed` or `coming`."""
    if rollout.phase is Phase.COMPLETED or number < rollout.step:
        return "done"
    if number > rollout.step or Phase.SHIFTING not in rollout.attempt_path:
        return "coming"
    return "failed" if rollout.reason else "current"


def seconds_left(rollout: Rollout, now: datetime) -> int | None:
    """Until the current step is decided on; None when nothing bakes."""
    if rollout.phase is not Phase.BAKING or rollout.waits_for:
        return None
    return max(math.ceil((decided_at(rollout)[0] - now).total_seconds()), 0)


def judged(rollout: Rollout) -> tuple[Sequence[Finding], Verdict | None]:
    """What the judge says of the last measurement; nothing before the first."""
    if not rollout.measurements:
        return (), None
    facts = (rollout.measurements, rollout.settings, rollout.steps)
    return find(*facts), judge(*facts)


def waits(place: PlaceStatus, places: Sequence[PlaceStatus]) -> Iterator[str]:
    """What stands before a place: the release that was verified upstream, backfills, and the contract migrations."""
    for source in places:
        ready = source.running if source.environment in source.verified else None
        # By their releases: each environment has settings of its own.
        here = {each.release for each in (place.running, place.rollout and place.rollout.candidate) if each}
        upstream = (source.environment, source.service) == (place.promote_from, place.service)
        if upstream and ready and ready.release not in here:
            rejected = place.rejects(ready) or source.rejects(ready)
            command = "rejected" if rejected else f"slipway promote {source.environment} {place.environment}"
            yield f"{ready.version} waits: {command}"
    yield from (f"backfill {name}: {text}" for name, text in place.backfills.items())
    if place.pending_contract:
        yield f"{', '.join(place.pending_contract)} wait: slipway contract {place.environment}"
