"""Linear: equal increments, each baked and analysed."""

from __future__ import annotations

from slipway.delivery.model.rollout import Step
from slipway.delivery.model.target import RolloutSettings
from slipway.errors import UsageError


def plan_linear(settings: RolloutSettings) -> tuple[Step, ...]:
    """Multiples of the first entry of `steps`, in percent, up to 100; UsageError when there is none above 0."""
    increment = settings.steps[0].percent if settings.steps else 0
    if increment < 1:
        raise UsageError(
            f"the linear strategy needs an increment from 1 to 100, got {[step.percent for step in settings.steps]}",
            where="delivery.rollout.steps",
        )
    shares = (*range(increment, 100, increment), 100)
    approval = settings.steps[0].approval
    return tuple(
        Step(percent=share, bake_seconds=settings.bake_seconds, analyse=True, approval=approval and number > 0)
        for number, share in enumerate(shares)
    )
