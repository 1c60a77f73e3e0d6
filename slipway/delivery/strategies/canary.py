"""Canary: exactly the shares that the stack names, each baked and analysed."""

from __future__ import annotations

from slipway.contract.steps import shares
from slipway.delivery.model.rollout import Step
from slipway.delivery.model.target import RolloutSettings
from slipway.errors import UsageError


def plan_canary(settings: RolloutSettings) -> tuple[Step, ...]:
    """The named shares, 100 % appended when it is missing; UsageError unless they rise."""
    steps = settings.steps if settings.steps and settings.steps[-1].percent == 100 else (*settings.steps, *shares(100))
    percents = [step.percent for step in steps]
    if any(later <= earlier for earlier, later in zip((0, *percents), percents, strict=False)):
        given = [step.percent for step in settings.steps]
        raise UsageError(f"canary steps must rise from above 0 to 100, got {given}", where="delivery.rollout.steps")
    return tuple(
        Step(percent=step.percent, bake_seconds=settings.bake_seconds, analyse=True, approval=step.approval)
        for step in steps
    )
