"""What runs in the sandbox, as rows for `slipway sandbox status`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StatusRow:
    """One thing of the sandbox."""

    name: str
    kind: str
    """`cluster`, `database`, `load balancer`, `registry`, `engine`, `api` or `process`."""
    address: str
    state: str
    """`running`, `stopped`, `failed`, or the AWS status (`CREATING`, `available`, `active`)."""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class SandboxStatus:
    """The sandbox as a whole."""

    running: bool
    """Whether the daemon answers."""
    ready: bool
    """Whether all that ran before runs again."""
    rows: tuple[StatusRow, ...]
