"""Waiting for people, and for freeze windows to end: both hold the traffic where it is. Pure: time is a value.

The candidate is watched and judged meanwhile: a bad one is turned back, however long nobody answers.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from slipway.delivery.model.analysis import VerdictKind
from slipway.delivery.model.decision import Decision, Enter, Wait
from slipway.delivery.model.observation import Observation
from slipway.delivery.model.rollout import Phase, Reason, Rollout
from slipway.delivery.model.word import Word
from slipway.delivery.transitions import attend, turn_back

LISTENING = frozenset(
    {
        Phase.MIGRATING,
        Phase.DEPLOYING,
        Phase.WAITING,
        Phase.SMOKING,
        Phase.SIZING,
        Phase.SHIFTING,
        Phase.BAKING,
    }
)
"""Phases before the traffic is decided."""


def hear(rollout: Rollout, seen: Observation, now: datetime) -> Enter | None:
    """What people said since the last look, taken into the rollout; None: nothing new."""
    if rollout.phase not in LISTENING:
        return None
    wanted = seen.pause if seen.pause and seen.pause.holds else None
    if wanted and rollout.pause is None:
        return Enter(rollout=replace(rollout, pause=wanted, paused_since=now), text=f"paused {wanted.signature}")
    if rollout.pause and wanted is None:
        said = seen.pause.signature if seen.pause else "without a word"
        going = _with_forced(_continued(rollout, now), seen.pause)
        return Enter(rollout=going, text=f"continued {said}")
    approval = seen.approval
    if approval and approval.step is not None and approves(rollout, approval):
        approved = replace(rollout, approvals={**rollout.approvals, approval.step: approval}, asked_since=None)
        percent = rollout.steps[approval.step].percent if approval.step < len(rollout.steps) else 100
        going = _with_forced(attend(approved, now), approval)
        return Enter(rollout=going, text=f"{percent} % approved {approval.signature}")
    if seen.skip and ends_bake(rollout, seen.skip) and not (seen.verdict and seen.verdict.kind is VerdictKind.FAIL):
        skipped = replace(rollout, skipped={**rollout.skipped, rollout.bake: seen.skip})
        percent = rollout.steps[rollout.step].percent
        going = _with_forced(skipped, seen.skip)
        return Enter(rollout=going, text=f"the bake at {percent} % is ended early {seen.skip.signature}")
    return None


def _with_forced(rollout: Rollout, word: Word | None) -> Rollout:
    """A freeze that a person has overridden holds nothing of this rollout any more."""
    _, freeze, said = word.because.partition("freeze: ") if word else ("", "", "")
    return replace(rollout, forced=(*rollout.forced, freeze + said)) if freeze else rollout


def approves(rollout: Rollout, approval: Word) -> bool:
    """Whether a word is of this attempt, and was not heard yet."""
    return approval.attempt == rollout.retried and approval.step not in rollout.approvals


def ends_bake(rollout: Rollout, skip: Word) -> bool:
    """Whether a word ends the present bake, and was not heard yet."""
    return rollout.phase is Phase.BAKING and skip.bake == rollout.bake and rollout.bake not in rollout.skipped


def wait_for_people(rollout: Rollout, step: int | None, now: datetime) -> Decision | None:
    """Before traffic moves to `step` (None: before the last step counts as passed); None: nobody is waited for."""
    seconds = rollout.settings.analysis_interval_seconds
    if rollout.pause:
        return Wait(seconds=seconds, text=rollout.waits_for)
    if step is None or not rollout.steps[step].approval or step in rollout.approvals:
        return None
    if rollout.asked_since is None:
        asked = replace(rollout, asked_since=now)
        return Enter(rollout=asked, text=asked.waits_for)
    if now >= rollout.asked_since + timedelta(seconds=rollout.settings.approval_seconds):
        text = f"nobody approved {rollout.steps[step].percent} % within {rollout.settings.approval_seconds:g} s"
        return Enter(rollout=turn_back(rollout, Reason.NOT_APPROVED, text, now))
    return Wait(seconds=seconds, text=rollout.waits_for)


def hold_in_freeze(rollout: Rollout, seen: Observation, now: datetime) -> Decision | None:
    """Before more traffic comes to the candidate; None: no freeze window is open that was not overridden."""
    if seen.frozen == rollout.frozen:
        return Wait(seconds=rollout.settings.analysis_interval_seconds, text=rollout.waits_for) if seen.frozen else None
    changed = attend(replace(rollout, frozen=seen.frozen), now)  # pods have as long as ever once the window is over
    return Enter(rollout=changed, text=changed.waits_for if seen.frozen else "the freeze window is over")


def _continued(rollout: Rollout, now: datetime) -> Rollout:
    """What was running out when it was paused has as long left as it had then, whoever was alive meanwhile."""
    since = rollout.paused_since or now
    held = now - since
    return replace(
        attend(rollout, now),
        pause=None,
        paused_since=None,
        paused_seconds=rollout.paused_seconds + held.total_seconds(),
        asked_since=rollout.asked_since + held if rollout.asked_since else None,
    )
