"""Who may change an environment, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Owner:
    """One process on one machine. A process id is used again after a reboot, so its start time is part of the identity."""

    user: str
    host: str
    pid: int
    started: float
    """The process's start, in seconds since the epoch."""

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.user}@{self.host} (process {self.pid})"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to write. The fence rises with every owner, and the ledger refuses writes with an older one."""

    owner: Owner
    fence: int
    purpose: str
    """The command, for whoever waits."""
    acquired_at: datetime
    heartbeat_at: datetime
    expires_at: datetime


def may_take_over(lease: Lease, *, owner_is_dead: bool, unchanged_seconds: float) -> bool:
    """Whether a lease can be taken from its owner: a dead process on this machine, or not renewed for a whole term while we watched.

    The times in a lease are of its owner's clock, which may differ from ours: only their distance is used.
    """
    term = lease.expires_at - lease.heartbeat_at
    return owner_is_dead or unchanged_seconds > term.total_seconds()
