"""The wire of ECR: moto's, with an authorization token that leads to the sandbox's registry."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

from moto.core.responses import ActionResult
from moto.ecr.responses import ECRResponse

from slipway.sandbox.aws.callers import caller_of
from slipway.sandbox.aws.world import world
from slipway.sandbox.registry import REGISTRY_ADDRESS
from slipway.sandbox.registry_access import USER


class EcrResponse(ECRResponse):
    """Decodes, calls the backend, encodes."""

    def get_authorization_token(self) -> ActionResult:
        """GetAuthorizationToken: to push for whoever may put an image into one of the account's repositories, to pull for others."""
        access = world().registry_access
        if access is None:
            return super().get_authorization_token()
        token, end = access.token(datetime.now(UTC), push=self._may_push())
        facts = {
            "authorizationToken": b64encode(f"{USER}:{token}".encode()).decode(),
            "expiresAt": end,
            "proxyEndpoint": f"http://{REGISTRY_ADDRESS}",
        }
        return ActionResult({"authorizationData": [facts]})

    def _may_push(self) -> bool:
        caller = caller_of(str(self.get_access_key()))
        if caller is None or caller.is_owner:
            return caller is not None
        from slipway.sandbox.aws.iam.enforcement import may  # noqa: PLC0415 - slow to import, and for callers other than the owner

        names = [*self.ecr_backend.repositories, "*"]
        base = f"arn:aws:ecr:{self.region}:{self.current_account}:repository"
        return any(may(caller, "ecr", "PutImage", f"{base}/{name}", self.region) for name in names)
