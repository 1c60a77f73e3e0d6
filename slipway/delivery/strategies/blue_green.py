"""Blue-green: all traffic in one move, then baked and analysed while the old colour is warm."""

from __future__ import annotations

from slipway.delivery.model.rollout import Step
from slipway.delivery.model.target import RolloutSettings


def plan_blue_green(settings: RolloutSettings) -> tuple[Step, ...]:
    """One step to 100 %."""
    approval = bool(settings.steps) and settings.steps[-1].approval
    return (Step(percent=100, bake_seconds=settings.bake_seconds, analyse=True, approval=approval),)
