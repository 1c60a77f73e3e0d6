"""Pods before traffic: what a colour needs for its coming share is asked for, and waited for. Pure: time is a value.

Traffic that goes back waits for no pods. The colour that it goes back to has kept them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from slipway.delivery.gates.capacity import GATE
from slipway.delivery.gates.facts import WAYS_BACK
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.decision import Act, Decision, Enter, KeepPods, Wait, WriteWanted
from slipway.delivery.model.observation import Observation
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout
from slipway.delivery.model.size import SizePlan, plan_size
from slipway.delivery.model.wanted import Floor, Wanted
from slipway.delivery.transitions import turn_back

POLL_SECONDS = 1.0
"""Pods take seconds to start; each look asks the cluster for both colours."""
HOLD_SECONDS = 600.0
"""A colour that has just got traffic keeps its pods for so long: an autoscaler looks back, at less traffic, for 300 s by default."""


def size_colours(rollout: Rollout, seen: Observation, now: datetime) -> Decision | None:
    """What is to be done before the coming step; None: both colours have what they need, or no autoscaler to ask."""
    settings, percent = rollout.settings, rollout.steps[rollout.coming_step].percent
    plan = _plan(rollout, seen, now, percent=percent, surge_percent=settings.surge_percent)
    if plan is None:
        return None
    change = _change(seen, plan, percent)
    if not change and plan.ready >= plan.needed:
        return None
    waiting = seen.sizes[rollout.colour].waiting
    overdue = now >= rollout.attended_since + timedelta(seconds=settings.size_seconds)
    if overdue and _is_forced(rollout):
        return None
    if overdue:
        text = f"{_said(rollout, plan)} were not ready within {settings.size_seconds:g} s"
        return Enter(rollout=turn_back(rollout, Reason.CAPACITY_MISSING, _because(text, waiting), now))
    return change or Wait(seconds=POLL_SECONDS, text=_because(f"{_said(rollout, plan)} are not ready yet", waiting))


def ask_for_pods(rollout: Rollout, seen: Observation, now: datetime) -> Act | None:
    """The pods of live for an older release that is coming up, all at once. Nobody waits for them; None: they are asked for."""
    plan = _plan(rollout, seen, now, percent=100, surge_percent=100)
    return _change(seen, plan, 100) if plan else None


def enough_to_go_back(rollout: Rollout, seen: Observation) -> bool:
    """Traffic that goes back waits for the pods that the stack file wants of an idle colour, or for one where the colour is warm."""
    if rollout.kind not in WAYS_BACK or seen.health is None:
        return False
    size = seen.sizes.get(rollout.colour)
    return seen.health.serving >= (1 if rollout.kind is Kind.SWITCH or size is None else size.declared)


def _plan(rollout: Rollout, seen: Observation, now: datetime, *, percent: int, surge_percent: int) -> SizePlan | None:
    colour = rollout.colour
    if rollout.original.live is None or not {colour, colour.other} <= seen.sizes.keys():
        return None
    floors = {each: floor for each, floor in seen.wanted.floors.items() if floor.until is None or now < floor.until}
    return plan_size(
        colour=colour,
        percent=percent,
        weights=(seen.balancer and seen.balancer.weights) or seen.wanted.weights,
        floors=floors,
        sizes=seen.sizes,
        healthy=seen.health.healthy if seen.health else 0,
        surge_percent=surge_percent,
    )


def _change(seen: Observation, plan: SizePlan, percent: int) -> Act | None:
    """Ledger first, then the autoscalers; None once both keep what the ledger says."""
    if plan.floors != seen.wanted.floors:
        kept = ", ".join(f"{colour} {floor}" for colour, floor in sorted(plan.floors.items())) or "as declared"
        wanted = replace(seen.wanted, floors=plan.floors)
        return Act(action=WriteWanted(wanted=wanted, text=f"pods before {percent} %: {kept}"))
    for colour, size in sorted(seen.sizes.items()):
        keeping = size.keeping(seen.wanted.floors.get(colour))
        if size.minimum != keeping:
            return Act(action=KeepPods(colour=colour, pods=keeping))
    return None


def _because(text: str, why: str) -> str:
    return f"{text}: {why}" if why else text


def _said(rollout: Rollout, plan: SizePlan) -> str:
    percent = rollout.steps[rollout.coming_step].percent
    missing = max(plan.needed - plan.ready, 0)
    return f"{missing} of the {plan.needed} pods that {rollout.colour} needs for {percent} % of the traffic"


def _is_forced(rollout: Rollout) -> bool:
    """Somebody has said before the start that it is to go without them."""
    return any(text.startswith(f"{GATE}:") for text in rollout.forced)


def held_when_settled(rollout: Rollout, wanted: Wanted) -> Wanted:
    """Traffic is decided: the old colour keeps its pods for the rollback window, the new one until its autoscaler has seen the traffic."""
    window = max(rollout.settings.rollback_window_seconds, HOLD_SECONDS)
    began = rollout.phase_started_at
    return wanted.held(
        {
            rollout.colour: began + timedelta(seconds=HOLD_SECONDS),
            rollout.colour.other: began + timedelta(seconds=window),
        }
    )


def held_when_back(rollout: Rollout, wanted: Wanted) -> Wanted:
    """Traffic is back: the colour that has it keeps its pods for a while, the other one has what it had before."""
    if rollout.kind in {Kind.RETIRE, Kind.CONTRACT}:
        return wanted
    original, live = rollout.original, rollout.colour.other
    floors: dict[Colour, Floor] = {}
    kept, before = wanted.floors.get(live), original.floors.get(rollout.colour)
    if kept:
        floors[live] = replace(kept, until=_later(rollout, original.floors.get(live)))
    if before and wanted.colour(rollout.colour) == original.colour(rollout.colour):
        floors[rollout.colour] = before
    return replace(wanted, floors=floors)


def _later(rollout: Rollout, before: Floor | None) -> datetime:
    until = rollout.phase_started_at + timedelta(seconds=HOLD_SECONDS)
    return max(until, before.until) if before and before.until else until


def judged(rollout: Rollout, now: datetime) -> bool:
    """Whether the step that the traffic is at is to be measured and judged now. Pods are looked for more often than numbers."""
    if rollout.phase not in {Phase.BAKING, Phase.SIZING} or rollout.baking_since is None:
        return False
    last = rollout.measurements[-1].at if rollout.measurements else rollout.baking_since
    due = last + timedelta(seconds=rollout.settings.analysis_interval_seconds)
    other_clock = last > now
    return rollout.steps[rollout.step].analyse and (rollout.phase is Phase.BAKING or now >= due or other_clock)
