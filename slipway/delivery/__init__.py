"""Delivery: brings a release through the environments, moves its traffic step by step, and turns it back by itself when it is bad."""

from slipway.delivery.errors import LeaseLostError, RefusedError, ReleaseRolledBackError
from slipway.delivery.forgetting import Beliefs, forget, forget_destroyed, refuse_during_rollout
from slipway.delivery.model.pace import Pace
from slipway.delivery.ports import Context, Place
from slipway.delivery.reporting import as_json, history, judgements, status
from slipway.delivery.service import (
    Outcome,
    abort,
    contract,
    lift,
    promote,
    release,
    resume,
    retire,
    rollback,
)

__all__ = [
    "Beliefs",
    "Context",
    "LeaseLostError",
    "Outcome",
    "Pace",
    "Place",
    "RefusedError",
    "ReleaseRolledBackError",
    "abort",
    "as_json",
    "contract",
    "forget",
    "forget_destroyed",
    "history",
    "judgements",
    "lift",
    "promote",
    "refuse_during_rollout",
    "release",
    "resume",
    "retire",
    "rollback",
    "status",
]
