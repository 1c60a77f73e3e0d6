"""The wire of ECR: moto's, with an authorization token that leads to the sandbox's registry."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta

from moto.core.responses import ActionResult
from moto.ecr.responses import ECRResponse

from slipway.sandbox.aws.world import world
from slipway.sandbox.registry import REGISTRY_ADDRESS

TOKEN_LIFETIME = timedelta(hours=12)


class EcrResponse(ECRResponse):
    """Decodes, calls the backend, encodes."""

    def get_authorization_token(self) -> ActionResult:
        """GetAuthorizationToken: the registry asks for no credentials and takes any."""
        if world().registry is None:
            return super().get_authorization_token()
        token = b64encode(f"AWS:{self.current_account}-sandbox".encode()).decode()
        facts = {
            "authorizationToken": token,
            "expiresAt": datetime.now(UTC) + TOKEN_LIFETIME,
            "proxyEndpoint": f"http://{REGISTRY_ADDRESS}",
        }
        return ActionResult({"authorizationData": [facts]})
