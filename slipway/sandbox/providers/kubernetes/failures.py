"""What can go wrong between the provider and an API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.sandbox.providers.kubernetes.objects import GroupVersionKind


class UnreachableError(Exception):
    """No request can reach the API server, or none is let in; nothing was changed by the request."""


class LostConnectionError(Exception):
    """The connection broke after the request was sent: whether it was carried out is not known."""


class CancelledError(Exception):
    """The user ended the operation while something was waited for."""


class UnknownKindError(Exception):
    """The API server serves no such kind, perhaps not yet."""

    def __init__(self, kind: GroupVersionKind) -> None:
        super().__init__(f'no matches for kind "{kind.kind}" in version "{kind.api_version}"')
        self.kind = kind


class ApiError(Exception):
    """The API server's refusal of one request."""

    def __init__(self, status: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message or f"HTTP {status} {reason}")
        self.status = status
        self.reason = reason
        self.details = dict(details or {})

    @property
    def is_gone(self) -> bool:
        """The object (or its whole kind) is not there."""
        return self.status == 404

    @property
    def is_forbidden(self) -> bool:
        """Whoever the kubeconfig names may not do this."""
        return self.status == 403

    @property
    def is_conflict(self) -> bool:
        """Another field manager owns a field, or the object changed meanwhile."""
        return self.status == 409

    @property
    def is_stale(self) -> bool:
        """The object changed between reading and writing it; nobody's fields were at stake."""
        causes: list[dict[str, Any]] = self.details.get("causes") or []
        return self.reason == "Conflict" and not any(cause.get("reason") == "FieldManagerConflict" for cause in causes)

    @property
    def namespace_missing(self) -> bool:
        """Refused because the namespace does not exist yet."""
        return self.status == 404 and self.details.get("kind") == "namespaces"
