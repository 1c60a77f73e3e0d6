"""What gates know, and how they say no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Kind
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.target import FreezeWindow


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Automation must not bring this release back."""

    release: str
    because: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class GateFacts:
    """Everything the gates decide on, collected before; time is a value."""

    now: datetime
    kind: Kind
    environment: str
    release: Release
    promote_from: str | None
    freeze_windows: tuple[FreezeWindow, ...] = ()
    holds: Mapping[str, Hold] = field(default_factory=dict[str, Hold])
    schema: Schema
    program_hash: str | None = None
    """Of the sources that this run would deploy; None: not compared (the release was built from them just now)."""
    lock_hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a rollout must not begin, and what to do about it."""

    gate: str
    text: str
    remedy: str
    can_be_forced: bool = True
    """False: no flag opens this gate, because data or users would be harmed."""
