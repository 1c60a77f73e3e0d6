"""A preview, whoever made it, as the report needs it: no values that could be secret, only names of what changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One planned step of one resource."""

    op: str
    """Pulumi's word: `create`, `update`, `delete`, `replace`, `same`, …"""
    urn: str
    changed: tuple[str, ...] = ()
    """Property paths that change."""
    replaces_because: tuple[str, ...] = ()
    """Property paths whose change needs another resource."""
    provider: str = ""
    """URN of its provider."""
    protected: bool = False
    old: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Old inputs, secrets blinded."""
    new: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """New inputs, secrets blinded; what is not known yet is UNKNOWN_TEXT."""

    @property
    def type(self) -> str:
        """`aws:rds/instance:Instance` of the URN."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.split("::", 3)[3]


UNKNOWN_TEXT = "known after apply"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an `up` would do."""

    steps: tuple[PlannedStep, ...]
    changes: Mapping[str, int] = field(default_factory=dict[str, int])
    policy: tuple[str, ...] = ()
    """Policy findings, one line each."""
    problems: tuple[str, ...] = ()
    """Errors and warnings of the program and the providers."""
