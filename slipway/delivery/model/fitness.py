"""Fitness: what an environment found out about an image. One record per digest and environment; every gate reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class FitnessNote:
    """One finding: by whom, about which release, why, when."""

    release: str
    because: str
    by: str
    at: datetime
    whole_digest: bool = True
    """False: the same image was, and stays, good here under another release; only this release, and `others`, are meant."""
    others: tuple[str, ...] = ()
    """Releases of the same image that were rejected before, for other settings."""

    @property
    def releases(self) -> tuple[str, ...]:
        """All that it names, the newest first."""
        return (self.release, *self.others)

    def after(self, before: FitnessNote | None) -> FitnessNote:
        """This rejection, with the releases that an earlier one meant."""
        if before is None or before.whole_digest or self.whole_digest:
            return self
        return replace(self, others=tuple(each for each in before.releases if each != self.release))

    def without(self, release: str) -> FitnessNote | None:
        """What is still rejected once `release` is not; None: nothing. An image is rejected as a whole, or not."""
        left = [each for each in self.releases if each != release]
        return replace(self, release=left[0], others=tuple(left[1:])) if left and not self.whole_digest else None


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
        note = self.rejected
        return note is not None and (note.whole_digest or release in note.releases)


def digest_of(image: str) -> str:
    """The `sha256:…` part of an image reference."""
    return image.rpartition("@")[2]
