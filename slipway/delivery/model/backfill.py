"""How far a backfill is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """A backfill's Job, as it was looked at."""

    progress: str = ""
    """What the Job said last: `id 12000 of 40000 (30 %)`; "": nothing yet."""
    done: bool = False
    """All rows are filled."""
    failure: str = ""
    """Why the Job has ended without that; "": it has not."""

    @property
    def text(self) -> str:
        """In a few words."""
        return self.failure or ("complete" if self.done else self.progress or "its Job has said nothing yet")
