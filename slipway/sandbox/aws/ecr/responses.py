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
        """GetAuthorizationToken: of the owner for everything, of others for what they may whenever they use it."""
        access = world().registry_access
        if access is None:
            return super().get_authorization_token()
        asking = str(self.get_access_key())
        caller = caller_of(asking)
        is_owner = caller is not None and caller.is_owner
        token, end = access.token(datetime.now(UTC), push=True, caller="" if is_owner else asking)
        facts = {
            "authorizationToken": b64encode(f"{USER}:{token}".encode()).decode(),
            "expiresAt": end,
            "proxyEndpoint": f"http://{REGISTRY_ADDRESS}",
        }
        return ActionResult({"authorizationData": [facts]})
