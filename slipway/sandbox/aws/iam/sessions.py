"""What a role's session keeps beyond its credentials: session policies, tags, source identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_ATTRIBUTE = "session_details"


@dataclass(frozen=True, kw_only=True)
class SessionDetails:
    """Given when the session is made, and kept with moto's."""

    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Session tags; conditions know them as `aws:PrincipalTag/…`."""
    transitive: tuple[str, ...] = ()
    """Keys of the tags that go on to sessions which this one makes."""
    source_identity: str = ""
    provider: str = ""
    """The identity provider behind AssumeRoleWithWebIdentity."""


def keep_details(session: Any, details: SessionDetails) -> None:
    """Put them on moto's session."""
    setattr(session, _ATTRIBUTE, details)


def details_of(session: Any) -> SessionDetails:
    """Of moto's session. EKS Pod Identity makes sessions with `session_tags` alone, all of them transitive."""
    found = getattr(session, _ATTRIBUTE, None)
    if isinstance(found, SessionDetails):
        return found
    tags: Mapping[str, str] = getattr(session, "session_tags", None) or {}
    return SessionDetails(policy=getattr(session, "policy", None) or "", tags=tags, transitive=tuple(tags))
