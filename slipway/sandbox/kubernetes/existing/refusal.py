"""Answers that the endpoint gives itself, in the form in which an API server refuses."""

from __future__ import annotations

import json


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """The request goes no further; what the client is told, as a Kubernetes Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        """`reason`: Kubernetes' own word, such as `Unauthorized`; clients decide by it and by `code`."""
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message

    def status(self) -> bytes:
        """The body of the answer."""
        fields: dict[str, object] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return json.dumps(fields | {"message": self.message, "reason": self.reason, "code": self.code}).encode()


def unauthorized(why: str) -> Refusal:
    """No token, or one that is not good."""
    return Refusal(401, "Unauthorized", f"Unauthorized: {why}")


def unavailable(why: str) -> Refusal:
    """Something that the endpoint needs does not answer."""
    return Refusal(503, "ServiceUnavailable", why)
