"""What every check is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from slipway.doctor.account import Account
from slipway.doctor.project import Project


@dataclass(frozen=True, kw_only=True)
class Case:
    """An environment, the account that is to hold it, and the time."""

    project: Project
    account: Account
    now: datetime
