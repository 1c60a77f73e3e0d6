"""Load balancing, target health, metrics and alarms of the sandbox."""

from slipway.sandbox.traffic.traffic import Traffic

__all__ = ["Traffic"]
