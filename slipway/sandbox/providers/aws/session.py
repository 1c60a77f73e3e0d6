"""The provider's configuration and the AWS clients made from it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slipway.engine.provider import ProviderError

if TYPE_CHECKING:
    from slipway.engine.values import PropertyMap

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = (
    120  # creating an EKS cluster in the sandbox answers once its control plane's processes were started
)
PARTITION = "aws"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `Configure` was given, parsed."""

    region: str
    endpoint_url: str
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Endpoint per service, as the `endpoints` property names them; the rest use `endpoint_url`."""
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    default_tags: Mapping[str, str] = field(default_factory=dict)
    ignored_tag_keys: frozenset[str] = frozenset()
    ignored_tag_prefixes: tuple[str, ...] = ()
    allowed_account_ids: frozenset[str] = frozenset()
    forbidden_account_ids: frozenset[str] = frozenset()


def nested(value: object) -> Any:
    """A nested provider property: JSON text from the Python SDK, the value itself from others."""
    return json.loads(value) if isinstance(value, str) and value[:1] in {"{", "["} else value


def parse_settings(inputs: PropertyMap, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the provider's inputs and, where they say nothing, the usual AWS variables.

    Raises ProviderError without an endpoint: this provider must never reach the real AWS by accident.
    """
    region = inputs.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise ProviderError("aws: no region; set aws:region in the stack file, or AWS_REGION")
    endpoints: dict[str, str] = {}
    for entry in nested(inputs.get("endpoints")) or []:
        endpoints.update({str(name): str(url) for name, url in entry.items() if url})
    endpoint_url = environ.get("AWS_ENDPOINT_URL", "")
    if not endpoint_url and not endpoints:
        raise ProviderError(
            "the sandbox's AWS provider has no endpoint; set AWS_ENDPOINT_URL to the sandbox's address (`slipway sandbox env`)"
        )
    ignored = nested(inputs.get("ignoreTags")) or {}
    return Settings(
        region=str(region),
        endpoint_url=endpoint_url,
        endpoints=endpoints,
        access_key=inputs.get("accessKey"),
        secret_key=inputs.get("secretKey"),
        token=inputs.get("token"),
        default_tags={str(k): str(v) for k, v in ((nested(inputs.get("defaultTags")) or {}).get("tags") or {}).items()},
        ignored_tag_keys=frozenset(ignored.get("keys") or ()),
        ignored_tag_prefixes=tuple(ignored.get("keyPrefixes") or ()),
        allowed_account_ids=frozenset(nested(inputs.get("allowedAccountIds")) or ()),
        forbidden_account_ids=frozenset(nested(inputs.get("forbiddenAccountIds")) or ()),
    )


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
            # The sandbox takes any credentials; a machine without any must work too.
            self._boto_session.set_credentials(
                settings.access_key or os.environ.get("AWS_ACCESS_KEY_ID") or "test",
                settings.secret_key or os.environ.get("AWS_SECRET_ACCESS_KEY") or "test",
                settings.token or os.environ.get("AWS_SESSION_TOKEN") or None,
            )
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
