"""What was changed of a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4


@dataclass
class Update:
    """The record of a change, as DescribeUpdate shows it."""

    type: str
    params: list[dict[str, str]]
    status: str = "Successful"
    errors: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    id: str = field(default_factory=lambda: str(uuid4()))
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
