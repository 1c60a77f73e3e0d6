"""Delivery: brings a release through the environments, moves its traffic step by step, and turns it back by itself when it is bad."""

from slipway.delivery.contracting import backfill, contract
from slipway.delivery.drift import refuse_moved_traffic
from slipway.delivery.errors import LeaseLostError, RefusedError, ReleaseRolledBackError
from slipway.delivery.explaining import Explanation, VerbAnswer, explain
from slipway.delivery.forgetting import Beliefs, being_destroyed, forget_destroyed, refuse_during_rollout
from slipway.delivery.model.pace import Pace
from slipway.delivery.people import approve, continue_, pause, skip
from slipway.delivery.ports import Context, Place
from slipway.delivery.rehearsing import rehearse
from slipway.delivery.reporting import as_json, history, judgements, status
from slipway.delivery.service import (
    Outcome,
    abandon,
    abort,
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
    "Explanation",
    "LeaseLostError",
    "Outcome",
    "Pace",
    "Place",
    "RefusedError",
    "ReleaseRolledBackError",
    "VerbAnswer",
    "abandon",
    "abort",
    "approve",
    "as_json",
    "backfill",
    "being_destroyed",
    "continue_",
    "contract",
    "explain",
    "forget_destroyed",
    "history",
    "judgements",
    "lift",
    "pause",
    "promote",
    "refuse_during_rollout",
    "refuse_moved_traffic",
    "rehearse",
    "release",
    "resume",
    "retire",
    "rollback",
    "skip",
    "status",
]
