"""Every type and function that the provider serves, by token."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from slipway.sandbox.providers.aws import functions as served
from slipway.sandbox.providers.aws import lookups
from slipway.sandbox.providers.aws.resource import Resource

_SERVICES = (
    "acm",
    "cloudwatch",
    "dynamodb",
    "dynamodb_items",
    "ec2_addresses",
    "ec2_routing",
    "ec2_security_group_rules",
    "ec2_security_groups",
    "ec2_vpc",
    "ecr",
    "eks_access",
    "eks_cluster",
    "eks_nodes",
    "elbv2_listeners",
    "elbv2_load_balancers",
    "iam",
    "iam_roles",
    "kms",
    "rds",
    "rds_instances",
    "route53",
    "s3_buckets",
    "s3_objects",
    "s3_settings",
    "secretsmanager",
    "sns",
    "sqs",
)
"""The modules beside this one that serve types; each lists its own in `RESOURCES`."""

RESOURCES: Mapping[str, Resource] = MappingProxyType(
    {
        resource.token: resource
        for service in _SERVICES
        for resource in import_module(f"{__package__}.{service}").RESOURCES
    }
)
"""By the type's own token."""
FUNCTIONS: Mapping[str, served.Function] = {**served.FUNCTIONS, **lookups.FUNCTIONS}
_ALIASES = {alias: resource for resource in RESOURCES.values() for alias in resource.aliases}


def resource(token: str) -> Resource | None:
    """The type of this token or alias; None if it is not served."""
    return RESOURCES.get(token) or _ALIASES.get(token)


def function(token: str) -> served.Function | None:
    """The function of this token; None if it is not served."""
    return FUNCTIONS.get(token)


def unsupported(token: str) -> str:
    """What to tell a user about a token that is not served."""
    service = token.split("/", 1)[0] + "/"
    known = sorted(t for t in (*RESOURCES, *_ALIASES, *FUNCTIONS) if t.startswith(service))
    hint = f"; of that service it has {', '.join(known)}" if known else ""
    return f"{token} is not supported by the sandbox's AWS provider{hint}"
