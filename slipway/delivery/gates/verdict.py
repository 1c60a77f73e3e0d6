"""Verdict: a bake is not ended early where the judge says that the release is bad."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import Refusal
from slipway.delivery.model.analysis import VerdictKind
from slipway.delivery.model.rollout import Rollout


def find_failing(rollout: Rollout) -> Iterator[Refusal]:
    """A refusal that nobody can force: the release is turned back for it."""
    last = rollout.measurements[-1] if rollout.measurements else None
    if last and last.verdict is VerdictKind.FAIL:
        yield Refusal(
            gate="verdict",
            text=f"the judge's last verdict is {last.verdict}, at {last.at:%H:%M:%S} UTC",
            remedy=f"look at `slipway judge {rollout.environment}`; the release is turned back for it",
            can_be_forced=False,
        )
