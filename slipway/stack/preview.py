"""A preview, whoever made it, as the report needs it: no values that could be secret, only names of what changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast


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
UNKNOWN_SENTINELS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""What Pulumi's events hold where a value is not known yet. Source: `sdk/go/common/resource/plugin/rpc.go`."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an `up` would do."""

    steps: tuple[PlannedStep, ...]
    changes: Mapping[str, int] = field(default_factory=dict[str, int])
    policy: tuple[str, ...] = ()
    """Policy findings, one line each."""
    problems: tuple[str, ...] = ()
    """Errors and warnings of the program and the providers."""


def name_unknowns(value: Any) -> Any:
    """`value` with Pulumi's sentinels for unknown values replaced by UNKNOWN_TEXT, at any depth."""
    if isinstance(value, dict):
        return {key: name_unknowns(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [name_unknowns(item) for item in cast("list[Any]", value)]
    return UNKNOWN_TEXT if isinstance(value, str) and value in UNKNOWN_SENTINELS else value
