"""Tags of resources, as moto's backends tell them. The caller holds the API's lock."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto import backends
from moto.core.resource_tagging import TaggableResourcesMixin

from slipway.sandbox.aws.iam import known

MODULES = {"elasticloadbalancing": ("elbv2", "elb")}
GLOBAL = {"s3": "aws"}


def tags_of_resource(arn: str) -> Mapping[str, str]:
    """By its ARN; none for a kind whose tags moto does not tell."""
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return {}
    _, _, service, region, account, _ = parts
    if service == "iam":
        role = known.role(arn)
        return {str(pair["Key"]): str(pair["Value"]) for pair in role.tags.values()} if role else {}
    if service == "ec2":
        return known.ec2_tags(arn.rpartition("/")[2], account, region)
    if service == "s3":
        arn = arn.partition("/")[0]
        account = known.bucket_owner(arn.partition(":::")[2]) or ""
    for module in MODULES.get(service, (service,)):
        found = _tags(module, account, GLOBAL.get(service, region), arn)
        if found is not None:
            return found
    return {}


def _tags(module: str, account: str, region: str, arn: str) -> Mapping[str, str] | None:
    try:
        backend: Any = backends.get_backend(module)[account][region]  # type: ignore[call-overload]
    except (ImportError, KeyError):
        return None
    if not isinstance(backend, TaggableResourcesMixin):
        return None
    return next((dict(each.tags) for each in backend.iter_tagged_resources() if each.arn == arn), None)
