"""Jobs of backfills that take their time, and may fail. Rows that are filled stay so."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from slipway.delivery.model.backfill import Backfill


@dataclass(kw_only=True)
class SimulatedBackfills:
    """Of one environment. Public fields are knobs; change them at any time."""

    seconds: float = 30.0
    """How long one takes, attempts that fail included."""
    fault: str = ""
    """Why the Jobs fail that are started meanwhile."""
    fault_seconds: float = 5.0
    """How long they work until then."""
    started: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Migration and run of every Job, in order."""
    _jobs: dict[tuple[str, str], tuple[datetime, str]] = field(
        default_factory=dict[tuple[str, str], tuple[datetime, str]]
    )
    _before: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """Seconds of work that failed Jobs have done."""

    def start(self, revision: str, run: str, now: datetime) -> None:
        """A new Job, which goes on where the last one of this run stopped."""
        key = (revision, run)
        if key in self._jobs:
            self._before[key] = self._worked(key, now)
        self._jobs[key] = (now, self.fault)
        self.started.append(key)

    def see(self, revision: str, run: str, now: datetime) -> Backfill | None:
        """How far it is."""
        key = (revision, run)
        if key not in self._jobs:
            return None
        began, fault = self._jobs[key]
        worked = self._worked(key, now)
        progress = f"{min(worked / self.seconds, 1):.0%}"
        if fault and (now - began).total_seconds() >= self.fault_seconds:
            return Backfill(progress=progress, failure=f"the backfill Job of {revision} failed: {fault}")
        return Backfill(progress=progress, done=worked >= self.seconds)

    def _worked(self, key: tuple[str, str], now: datetime) -> float:
        began, fault = self._jobs[key]
        seconds = (now - began).total_seconds()
        return self._before.get(key, 0.0) + (min(seconds, self.fault_seconds) if fault else seconds)
