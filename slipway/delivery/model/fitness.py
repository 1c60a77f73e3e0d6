"""Fitness: what an environment found out about an image. One record per digest and environment; every gate reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class FitnessNote:
    """One finding: by whom, about which release, why, when."""

    release: str
    because: str
    by: str
    at: datetime
    whole_digest: bool = True
    """False: the same image was, and stays, good here under another release; only this release is meant."""


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """The way back from a release was tried here: to the release before it, and forward again."""

    release: str
    to: str
    """The older release that had the traffic meanwhile."""
    by: str
    at: datetime
    back_seconds: float
    """From the command to where the load balancer had confirmed the weights, without the wait for pods, which a rollback does not have."""
    forward_seconds: float

    @property
    def text(self) -> str:
        """How long each way took."""
        return f"back to {self.to} in {self.back_seconds:.1f} s, forward in {self.forward_seconds:.1f} s"


@dataclass(frozen=True, kw_only=True)
class Fitness:
    """What one environment found out about one digest."""

    environment: str
    digest: str
    verified: FitnessNote | None = None
    """It reached 100 % and passed its checks. Stays when it is rejected later, so that lifting the rejection suffices."""
    rejected: FitnessNote | None = None
    """It was rolled back. Gone when the rejection is lifted, or the digest verified again."""
    lifted: FitnessNote | None = None
    """Who lifted the last rejection, and why."""
    rehearsed: Rehearsed | None = None
    """When the way back from it was rehearsed last, and how long it took; None: never."""

    def rejects(self, release: str) -> bool:
        """Whether `release`, which has this digest, is rejected."""
        return self.rejected is not None and (self.rejected.whole_digest or self.rejected.release == release)


def digest_of(image: str) -> str:
    """The `sha256:…` part of an image reference."""
    return image.rpartition("@")[2]
