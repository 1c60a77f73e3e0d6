"""The AWS provider's configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.providers.provider import CheckFailure, ProviderError
from slipway.providers.values import UNKNOWN, PropertyMap
from slipway.sandbox.providers.framework.schema import provider_properties


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `Configure` was given, parsed."""

    region: str
    endpoint_url: str
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Endpoint per service, as the `endpoints` property names them; the rest use `endpoint_url`."""
    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    default_tags: Mapping[str, str] = field(default_factory=dict)
    ignored_tag_keys: frozenset[str] = frozenset()
    ignored_tag_prefixes: tuple[str, ...] = ()
    allowed_account_ids: frozenset[str] = frozenset()
    forbidden_account_ids: frozenset[str] = frozenset()
    assume_roles: tuple[Mapping[str, Any], ...] = ()
    """Roles to assume before any call, each with the credentials of the one before."""


def nested(value: object) -> Any:
    """A nested provider property: JSON text from the Python SDK, the value itself from others."""
    return json.loads(value) if isinstance(value, str) and value[:1] in {"{", "["} else value


def parse_settings(inputs: PropertyMap, environ: Mapping[str, str]) -> Settings:
    """Settings from the provider's inputs and, where they say nothing, the usual AWS variables of the `pulumi` command.

    Raises ProviderError without an endpoint, as this provider must never reach the real AWS by accident, and without credentials.
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
    access_key = inputs.get("accessKey") or environ.get("AWS_ACCESS_KEY_ID")
    secret_key = inputs.get("secretKey") or environ.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        raise ProviderError(
            "aws: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (`slipway sandbox env`)"
        )
    ignored = nested(inputs.get("ignoreTags")) or {}
    return Settings(
        region=str(region),
        endpoint_url=endpoint_url,
        endpoints=endpoints,
        access_key=access_key,
        secret_key=secret_key,
        token=inputs.get("token") or environ.get("AWS_SESSION_TOKEN") or None,
        default_tags={str(k): str(v) for k, v in ((nested(inputs.get("defaultTags")) or {}).get("tags") or {}).items()},
        ignored_tag_keys=frozenset(ignored.get("keys") or ()),
        ignored_tag_prefixes=tuple(ignored.get("keyPrefixes") or ()),
        allowed_account_ids=frozenset(nested(inputs.get("allowedAccountIds")) or ()),
        forbidden_account_ids=frozenset(nested(inputs.get("forbiddenAccountIds")) or ()),
        assume_roles=tuple(role for role in nested(inputs.get("assumeRoles")) or () if role.get("roleArn")),
    )


_BOOKKEEPING = frozenset({"version", "__internal", "__defaults", "pluginDownloadURL"})


def check_config(news: PropertyMap) -> Iterator[CheckFailure]:
    """Unknown properties, and nested ones that are no JSON."""
    known = provider_properties()
    for name, value in news.items():
        if name in _BOOKKEEPING:
            continue
        if name not in known:
            yield CheckFailure(
                property=name, reason=f"could not validate provider configuration: unknown property {name!r}"
            )
        elif known[name].startswith(("#", "list<", "map<")) and isinstance(value, str) and value is not UNKNOWN:
            try:
                json.loads(value)
            except ValueError as error:
                yield CheckFailure(property=name, reason=f"expected JSON text for {name}: {error}")
