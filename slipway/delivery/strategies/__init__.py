"""How traffic moves: one pure function per strategy, from settings to steps that end at 100 %."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slipway.delivery.model.rollout import Step
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.strategies.all_at_once import plan_all_at_once
from slipway.delivery.strategies.blue_green import plan_blue_green
from slipway.delivery.strategies.canary import plan_canary
from slipway.delivery.strategies.linear import plan_linear

STRATEGIES: Mapping[str, Callable[[RolloutSettings], tuple[Step, ...]]] = {
    "canary": plan_canary,
    "linear": plan_linear,
    "blue-green": plan_blue_green,
    "all-at-once": plan_all_at_once,
}


def plan_steps(settings: RolloutSettings) -> tuple[Step, ...]:
    """The steps of the strategy that the settings name."""
    return STRATEGIES[settings.strategy](settings)
