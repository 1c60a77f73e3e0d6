"""How long the AWS credentials in use will do. Nothing here is secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Where they come from, and when they end."""

    source: str
    lasting: bool
    """They have no end, or the AWS SDK renews them without anybody's help."""
    ends_at: datetime | None = None
    """Of those that do not last; None: nobody knows."""


LASTING = Credentials(source="none", lasting=True)
