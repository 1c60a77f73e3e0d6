"""Changes of a rollout that several phases share. Pure: time is a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from slipway.delivery.model.rollout import ROUTES, Kind, Phase, Reason, Rollout


def attend(rollout: Rollout, now: datetime) -> Rollout:
    """The rollout with its deadlines counted from now: something was asked anew, or nobody looked for a while."""
    return replace(rollout, waiting_since=now)


def take_up(rollout: Rollout, now: datetime) -> Rollout:
    """What another process left, by this machine's clock.

    Bakes, approvals and what else counts from the start of a phase have as long left as they had when the rollout was last written. The
    clock that wrote it may be ahead of this one or behind, and nobody judged meanwhile.
    """
    written = max([each.at for each in (*rollout.journal[-1:], *rollout.measurements[-1:])], default=now)
    unattended = max(now - written, timedelta())
    moved = {
        name: min(since + unattended, now)
        for name in ("paused_since", "asked_since")
        if (since := getattr(rollout, name))
    }
    if rollout.baking_since:
        moved["baking_since"] = min(rollout.baking_since, now)
    moved["phase_started_at"] = _began(rollout, now)
    held = rollout.paused_seconds + unattended.total_seconds()
    return attend(replace(rollout, **moved, paused_seconds=held), now)


def _began(rollout: Rollout, now: datetime) -> datetime:
    """When the phase began, by this machine's clock, as if nobody had been away.

    Whoever wrote the last journal entry began the phase, or took it up, by the same clock.
    """
    if rollout.phase is Phase.RETURNING:
        return min(rollout.phase_started_at, now)  # users have waited all the while for their traffic to be back
    written = max([rollout.phase_started_at, *(each.at for each in rollout.journal[-1:])])
    return now - (written - rollout.phase_started_at)


def enter(rollout: Rollout, phase: Phase, now: datetime) -> Rollout:
    """The rollout in another phase, with the seconds of the one it leaves."""
    spent = rollout.timings.get(rollout.phase, 0.0) + max((now - rollout.phase_started_at).total_seconds(), 0.0)
    return replace(
        rollout,
        phase=phase,
        phase_started_at=now,
        asked_since=None,
        frozen="",
        pause=None if phase.ended else rollout.pause,
        waiting_since=now,
        path=(*rollout.path, phase),
        timings={**rollout.timings, rollout.phase: round(spent, 3)},
        ended_at=now if phase.ended else None,
    )


def begin_again(rollout: Rollout, now: datetime) -> Rollout:
    """The rollout at the start of its route, for another attempt. What was seen of the one before counts for nothing, approvals included.

    Its path goes on: what has run is still to be cleaned up, and bakes are numbered through.
    """
    began = replace(
        rollout,
        step=0,
        baking_since=None,
        extensions=0,
        paused_since=None,
        paused_seconds=0.0,
        approvals={},
        reason=Reason.NONE,
        reason_text="",
        numbers={},
        measurements=(),
        retried=rollout.retried + 1,
        failed_before=f"{rollout.reason}: {rollout.reason_text}",
        timings={name: spent for name, spent in rollout.timings.items() if name not in {"detect", "weights_back"}},
    )
    return enter(began, ROUTES[rollout.kind][0], now)


def cut_short(rollout: Rollout, now: datetime) -> Rollout:
    """A rehearsal whose process is gone: the traffic goes to the live release again, and what was measured counts for nothing."""
    if rollout.phase is Phase.CLEANING:
        return rollout  # both ways were confirmed
    unmeasured = {name: spent for name, spent in rollout.timings.items() if name != "way_back"}
    cut = replace(rollout, timings=unmeasured)
    return cut if rollout.phase is Phase.RETURNING else enter(cut, Phase.RETURNING, now)


def take_for_real(rollout: Rollout, actor: str, now: datetime) -> Rollout:
    """A rehearsal that somebody wants to stay with: from here on it is the way back itself."""
    return enter(replace(rollout, kind=Kind.SWITCH, actor=actor), ROUTES[Kind.SWITCH][0], now)


def turn_back(
    rollout: Rollout, reason: Reason, text: str, now: datetime, numbers: Mapping[str, float] | None = None
) -> Rollout:
    """The rollout on its way back, with the reason and the numbers that decided."""
    exposed_since = rollout.baking_since or rollout.phase_started_at
    turned = enter(replace(rollout, pause=None), Phase.RETURNING, now)
    timings = {**turned.timings, "detect": round((now - exposed_since).total_seconds(), 3)}
    return replace(turned, reason=reason, reason_text=text, numbers=dict(numbers or {}), timings=timings)
