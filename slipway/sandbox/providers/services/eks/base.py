"""What the EKS types share."""

from __future__ import annotations

from typing import Any, ClassVar

from slipway.providers.provider import ProviderError
from slipway.sandbox.providers.framework.resource import Call, Resource
from slipway.sandbox.providers.framework.tags import Tagging


class EksResource(Resource):
    """What all EKS types share: the id is made of the API's own arguments, and tags are set by ARN."""

    service = "eks"
    conflict_codes = frozenset({"ResourceInUseException"})
    tagging = Tagging(target="resourceArn")
    failures: ClassVar[frozenset[str]] = frozenset()
    """The states that it does not leave by itself."""
    ready: ClassVar[frozenset[str]] = frozenset({"ACTIVE"})

    def is_ready(self, id: str, live: dict[str, Any]) -> bool:
        """By its status."""
        if live["status"] in self.failures:
            issues = (live.get("health") or {}).get("issues") or []
            why = "; ".join(f"{issue.get('code')}: {issue.get('message')}" for issue in issues)
            raise ProviderError(f"{self.token}: {id} is {live['status']}{': ' + why if why else ''}")
        return live["status"] in self.ready


def as_named(call: Call, *names: str) -> dict[str, Any]:
    """Arguments under the properties' own names, only of the inputs that were given."""
    return call.given(**{name: name for name in names})
