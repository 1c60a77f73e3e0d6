"""All at once: all traffic in one move, no bake. The first release of an environment and rollbacks go this way too."""

from __future__ import annotations

from slipway.delivery.model.rollout import Step
from slipway.delivery.model.target import RolloutSettings


def plan_all_at_once(_settings: RolloutSettings) -> tuple[Step, ...]:
    """One step to 100 %, watched by the smoke tests alone."""
    return (Step(percent=100, bake_seconds=0, analyse=False),)
