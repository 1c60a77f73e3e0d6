"""Canary: exactly the shares that the stack names, each baked and analysed."""

from __future__ import annotations

from slipway.delivery.model.rollout import Step
from slipway.delivery.model.target import RolloutSettings
from slipway.errors import UsageError


def plan_canary(settings: RolloutSettings) -> tuple[Step, ...]:
    """The named shares, 100 % appended when it is missing; UsageError unless they rise."""
    shares = settings.steps if settings.steps and settings.steps[-1] == 100 else (*settings.steps, 100)
    if any(later <= earlier for earlier, later in zip((0, *shares), shares, strict=False)):
        raise UsageError(
            f"canary steps must rise from above 0 to 100, got {list(settings.steps)}", where="delivery.rollout.steps"
        )
    return tuple(Step(percent=share, bake_seconds=settings.bake_seconds, analyse=True) for share in shares)
