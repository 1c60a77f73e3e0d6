"""What a check found out, as one line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How an `up` or a release will take what was found."""

    OK = "ok"
    WARNING = "warning"
    """It works, or may work, but somebody should know."""
    FAILURE = "failure"
    """An `up` or a release will fail."""
    NOT_ASKED = "could not be asked"
    """AWS, or the sandbox, gave no answer."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    state: State
    what: str
    remedy: str = ""
    check: str = ""
    """The check's name; the examination fills it in."""
