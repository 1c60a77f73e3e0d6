"""What gates know, and how they say no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from slipway.contract.freeze import FreezeWindow
from slipway.delivery.model.credentials import LASTING, Credentials
from slipway.delivery.model.fitness import Fitness
from slipway.delivery.model.provenance import Evidence
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Kind, Rollout
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.size import Room

BRINGS = frozenset({Kind.RELEASE, Kind.ROLLBACK, Kind.SWITCH})
"""Kinds that bring a release to 100 %."""
WAYS_BACK = frozenset({Kind.ROLLBACK, Kind.SWITCH})


@dataclass(frozen=True, kw_only=True)
class GateFacts:
    """Everything the gates decide on, collected before; time is a value."""

    now: datetime
    kind: Kind
    environment: str
    release: Release
    """The one that is to be brought here; for the other kinds, the live one."""
    live: Release | None = None
    promote_from: str | None
    freeze_windows: tuple[FreezeWindow, ...] = ()
    fitness: Mapping[str, Fitness] = field(default_factory=dict[str, Fitness])
    """Of the release's digest, here and in every environment upstream, by environment."""
    was_live: bool = False
    """The release has had all the traffic here, as the history says: its record may be owed still, or older than such records."""
    ran_image: str | None = None
    """That the release had when it ran here, as this environment's own part of the ledger says; None: nothing is brought up."""
    image_exists: bool = True
    """The registry still has the image; True where it was not asked."""
    evidence: Evidence | None = None
    """What is proven about the image; None where nothing is demanded."""
    window_closes_at: datetime | None = None
    """Until when the old colour is kept warm."""
    room: Room | None = None
    """What the nodes still take; None where it was not asked, or the cluster did not answer."""
    needed_pods: int = 0
    """So many more than now, for all of the traffic in the colour that the release goes to."""
    credentials: Credentials = LASTING
    """Of whoever would run the rollout."""
    plan_seconds: float = 0.0
    """How long the rollout may take, if nothing goes wrong."""
    schema: Schema
    gone_back: Rollout | None = None
    """The way back by which the live release came; None: it did not come by one."""
    wants_rehearsal: bool = False
    """Only what was rehearsed where it comes from is let in."""
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
