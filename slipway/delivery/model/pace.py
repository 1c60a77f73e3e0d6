"""Overrides of a stack's rollout settings for one run."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pydantic import ValidationError

from slipway.delivery.model.faults import describe_faults
from slipway.delivery.model.target import RolloutSettings
from slipway.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast one rollout goes; None keeps what the stack says. Meant for demos, tests and hotfixes."""

    bake_seconds: float | None = None
    metric_window_seconds: float | None = None
    metric_delay_seconds: float | None = None
    analysis_interval_seconds: float | None = None
    minimum_requests: int | None = None
    max_extensions: int | None = None
    smoke_seconds: float | None = None
    health_seconds: float | None = None
    rollback_window_seconds: float | None = None

    def applied_to(self, settings: RolloutSettings) -> RolloutSettings:
        """The settings with this pace; an override is checked like the stack's own value, and UsageError says what is wrong."""
        changes = {item.name: value for item in fields(self) if (value := getattr(self, item.name)) is not None}
        try:
            return RolloutSettings.model_validate(settings.model_dump() | changes)
        except ValidationError as error:
            raise UsageError(describe_faults(error)) from None
