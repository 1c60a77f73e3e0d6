"""What an operation on a stack did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.stack.preview import Preview


@dataclass(frozen=True, kw_only=True)
class StackResult:
    """Counts of an operation, and the plan of a preview."""

    changes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Resources by Pulumi's word for what was done: `create`, `update`, `same`, …"""
    seconds: float = 0.0
    preview: Preview | None = None
    """What a preview planned, step by step; None for other operations."""
