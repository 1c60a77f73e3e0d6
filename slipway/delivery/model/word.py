"""What people say of a rollout under way. It stands beside the rollout, because they hold no lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Topic(StrEnum):
    """What is spoken about; the last word on each counts."""

    PAUSE = "pause"
    APPROVAL = "approval"
    SKIP = "skip"
    SUPERSEDE = "supersede"


@dataclass(frozen=True, kw_only=True)
class Word:
    """Who said it, when by their clock, and why."""

    rollout: str
    by: str
    at: datetime
    because: str = ""
    holds: bool = True
    """Of a pause: False ends it."""
    step: int | None = None
    """Of an approval: the step that may come, counted from 0."""
    attempt: int = 0
    """Of an approval: which attempt of the rollout, counted from 0. What was seen of another one is not approved."""
    bake: int | None = None
    """Of a skip: which bake of the rollout ends, counted from 1. A step that bakes again is not meant."""

    @property
    def signature(self) -> str:
        """For messages."""
        return f"by {self.by} at {self.at:%Y-%m-%d %H:%M} UTC{': ' + self.because if self.because else ''}"
