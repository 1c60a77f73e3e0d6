"""The AWS clients of one configuration."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.sandbox.providers.framework.settings import Settings

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 120
"""Creating an EKS cluster in the sandbox answers once its control plane's processes were started."""
PARTITION = "aws"


@cache
def _service_models() -> Any:
    """botocore's descriptions of the services, read once for all commands: half a second for the six that a program uses."""
    import botocore.loaders  # noqa: PLC0415 - with botocore, see below

    return botocore.loaders.create_loader()


def _assumed(sts: Any, role: Mapping[str, Any]) -> tuple[str, str, str]:
    """The credentials of an assumed role."""
    arguments = {"RoleArn": role["roleArn"], "RoleSessionName": role.get("sessionName") or "pulumi"}
    if role.get("externalId"):
        arguments["ExternalId"] = role["externalId"]
    found = sts.assume_role(**arguments)["Credentials"]
    return found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]


class Session:
    """Clients of one configuration, shared by all threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._boto_session: Any = None
        self._account_id: str | None = None

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service. `Any`: responses are wire data, read defensively where they are used."""
        key = (service, region or self.settings.region)
        with self._lock:  # creating a client is not thread-safe in botocore, using one is
            if key not in self._clients:
                self._clients[key] = self._make_client(*key)
            return self._clients[key]

    def _make_client(self, service: str, region: str) -> Any:
        import botocore.session  # noqa: PLC0415 - 150 ms that a preview without AWS calls does not need; boto3 would take 60 more
        from botocore.config import Config  # noqa: PLC0415

        settings = self.settings
        url = settings.endpoints.get(service) or settings.endpoint_url
        if not url:
            raise ProviderError(f"no endpoint for {service}: set AWS_ENDPOINT_URL, or endpoints of the AWS provider")
        if self._boto_session is None:
            self._boto_session = botocore.session.Session()
            self._boto_session.register_component("data_loader", _service_models())
            self._boto_session.set_credentials(settings.access_key, settings.secret_key, settings.token)
            for role in settings.assume_roles:
                sts = self._boto_session.create_client(
                    "sts",
                    region_name=settings.region,
                    endpoint_url=settings.endpoints.get("sts") or settings.endpoint_url,
                )
                self._boto_session.set_credentials(*_assumed(sts, role))
        return self._boto_session.create_client(
            service,
            region_name=region,
            endpoint_url=url,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                retries={"mode": "standard", "max_attempts": 3},
                max_pool_connections=32,
                s3={"addressing_style": "path"},
            ),
        )

    @property
    def account_id(self) -> str:
        """The account of the credentials."""
        if self._account_id is None:
            self._account_id = str(self.client("sts").get_caller_identity()["Account"])
        return self._account_id

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """The ARN of a resource; `region=""` for the global services."""
        place = self.settings.region if region is None else region
        return f"arn:{PARTITION}:{service}:{place}:{self.account_id}:{resource}"

    def check_account(self) -> None:
        """Refuse accounts that the configuration does not allow."""
        settings = self.settings
        if settings.allowed_account_ids and self.account_id not in settings.allowed_account_ids:
            raise ProviderError(f"AWS account ID not allowed: {self.account_id}")
        if settings.forbidden_account_ids and self.account_id in settings.forbidden_account_ids:
            raise ProviderError(f"AWS account ID not allowed: {self.account_id}")
