"""How fast the world is that delivery works in: AWS, or the sandbox. A matter of where it runs, not of a stack file."""

from __future__ import annotations

from dataclasses import dataclass, replace

from slipway.delivery.model.target import RolloutSettings


@dataclass(frozen=True, kw_only=True)
class Cadence:
    """Units are in the names. What a stack file says of its metrics counts more."""

    poll_seconds: float
    """From one look at a control plane to the next."""
    settle_seconds: float
    """The load balancer's nodes follow what its control plane has confirmed so much later, at most."""
    metric_period_seconds: float
    """The metric store counts in periods of this length, which begin at whole multiples of it; 0: from any moment to any other."""
    metric_window_seconds: float
    metric_delay_seconds: float

    def applied_to(self, settings: RolloutSettings) -> RolloutSettings:
        """The settings with everything that the stack leaves to where it runs."""
        window, delay = settings.metric_window_seconds, settings.metric_delay_seconds
        return settings.model_copy(
            update={
                "metric_period_seconds": self.metric_period_seconds,
                "settle_seconds": self.settle_seconds,
                "metric_window_seconds": self.metric_window_seconds if window is None else window,
                "metric_delay_seconds": self.metric_delay_seconds if delay is None else delay,
            }
        )


AWS = Cadence(
    # ELBv2 throttles the whole account, so all its rollouts and controllers share what may be asked.
    poll_seconds=2.0,
    settle_seconds=10.0,
    # An ALB's metrics in CloudWatch: by the minute, and about two minutes late.
    metric_period_seconds=60.0,
    metric_window_seconds=180.0,
    metric_delay_seconds=120.0,
)
SANDBOX = Cadence(
    poll_seconds=0.25,
    settle_seconds=0.0,
    metric_period_seconds=0.0,  # whatever span it is asked for
    metric_window_seconds=60.0,
    metric_delay_seconds=0.0,
)
SANDBOX_WITH_LATE_METRICS = replace(
    SANDBOX,
    metric_period_seconds=AWS.metric_period_seconds,
    metric_window_seconds=AWS.metric_window_seconds,
    metric_delay_seconds=AWS.metric_delay_seconds,
)
"""The sandbox while it has metrics come as on AWS."""
