"""What `status` answers: plain values, ready for a table, a page or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from slipway.delivery.model.colour import Colour
from slipway.delivery.model.fitness import Fitness, Rehearsed, digest_of
from slipway.delivery.model.owed import Owed
from slipway.delivery.model.rollout import Rollout
from slipway.delivery.model.wanted import ColourRelease, Floor


@dataclass(frozen=True, kw_only=True)
class ColourStatus:
    """One colour of one place."""

    running: ColourRelease | None
    wanted_percent: int
    actual_percent: int | None
    """As the load balancer says; None: it was not asked, or did not answer."""
    healthy: int | None
    unhealthy: int | None
    live: bool
    warm: bool
    """Runs the release that was live before, ready to take over at once."""
    floor: Floor | None = None
    """Pods that it keeps at least; None: what the stack file says."""


@dataclass(frozen=True, kw_only=True)
class PlaceStatus:
    """One service in one environment."""

    environment: str
    service: str
    url: str
    promote_from: str | None
    """The environment its releases come from; None: they begin here."""
    live: Colour | None
    commit: str
    """Of the live release; "" when there is none."""
    colours: Mapping[Colour, ColourStatus]
    rollout: Rollout | None
    """The one under way; None: nothing is."""
    lease: str
    """Who is at work, "" when nobody."""
    rejected: tuple[Fitness, ...]
    """What is rejected here, the newest rejection first."""
    owed: tuple[Owed, ...]
    """Work that is left from rollouts that have ended: since when, how often it was tried, and why it is not done yet."""
    backfills: Mapping[str, str]
    """How far the backfills are that are owed, by their migrations, as the cluster says; empty where it was not asked."""
    pending_contract: tuple[str, ...]
    """Contract migrations the live release waits for."""
    warm_until: datetime | None
    """Until when the warm old colour is kept; it stays until somebody retires it."""
    verified: Mapping[str, datetime]
    """Where the live release was verified."""
    rehearsed: Rehearsed | None
    """When the way back from it was rehearsed here last, and how long it took; None: never."""
    history: tuple[Rollout, ...]
    problem: str
    """Why some of this could not be read; "" when all could."""

    @property
    def kept(self) -> str:
        """Pods that colours keep at least, above what the stack file says, for people; "": none."""
        return ", ".join(f"{colour} {row.floor}" for colour, row in self.colours.items() if row.floor)

    def rejects(self, running: ColourRelease) -> bool:
        """Whether a release is rejected here."""
        digest = digest_of(running.image)
        return any(each.digest == digest and each.rejects(running.release) for each in self.rejected)

    @property
    def running(self) -> ColourRelease | None:
        """What is live; None before the first release."""
        return self.colours[self.live].running if self.live else None
