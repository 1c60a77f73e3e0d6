"""What the machine decides: act and look again, go to another phase, or wait."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.release import Revision
from slipway.delivery.model.rollout import Rollout
from slipway.delivery.model.route import Routes, say_routes
from slipway.delivery.model.wanted import Wanted


@dataclass(frozen=True, kw_only=True)
class WriteWanted:
    """Write the intent into the ledger. Always comes before the world is changed."""

    wanted: Wanted
    text: str


@dataclass(frozen=True, kw_only=True)
class MoveWeights:
    """Set the live listener's weights; the next observation reads them back."""

    weights: Weights

    @property
    def text(self) -> str:
        """For the journal."""
        return f"set the load balancer to {self.weights}"


@dataclass(frozen=True, kw_only=True)
class KeepPods:
    """Let a colour's autoscaler keep at least so many pods; the next observation reads that back."""

    colour: Colour
    pods: int

    @property
    def text(self) -> str:
        """For the journal."""
        return f"let the autoscaler keep {self.pods} pods of {self.colour} at least"


@dataclass(frozen=True, kw_only=True)
class PointTestRoute:
    """Let the test route forward to one colour."""

    colour: Colour

    @property
    def text(self) -> str:
        """For the journal."""
        return f"point the test route to {self.colour}"


@dataclass(frozen=True, kw_only=True)
class SetRoutes:
    """Let these be all the routes that rollouts have made; the next observation reads them back."""

    routes: Routes

    @property
    def text(self) -> str:
        """For the journal."""
        return f"give the load balancer {say_routes(self.routes)}"


@dataclass(frozen=True, kw_only=True)
class Converge:
    """Run the Pulumi program, so that the world is what the ledger says."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Migrate:
    """Run the migrations up to and with the last of `revisions`, with the candidate's own image."""

    revisions: tuple[Revision, ...]

    @property
    def text(self) -> str:
        """For the journal."""
        phases = " and ".join(dict.fromkeys(item.phase for item in self.revisions))
        return f"migrate the database to {self.revisions[-1].id} ({len(self.revisions)} {phases})"


@dataclass(frozen=True, kw_only=True)
class SmokeTest:
    """Ask the candidate over the test route, or over the live one once it has all the traffic."""

    live: bool

    @property
    def text(self) -> str:
        """For the journal."""
        return f"smoke test over the {'live listener' if self.live else 'test route'}"


Action = WriteWanted | MoveWeights | KeepPods | PointTestRoute | SetRoutes | Converge | Migrate | SmokeTest
UNOBSERVABLE = (Converge, Migrate, SmokeTest)
"""Effects that no later look shows. Each is the last of its phase and safe to repeat: its success is the end of the phase."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """Do this, then look again."""

    action: Action


@dataclass(frozen=True, kw_only=True)
class Enter:
    """The rollout goes on in another phase (or in another step of it, or knowing more)."""

    rollout: Rollout
    text: str = ""
    """For the journal; "": which phase it comes from says enough."""


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Nothing to do for now."""

    seconds: float
    text: str


Decision = Act | Enter | Wait
