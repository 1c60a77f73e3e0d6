"""Policies of resources. The caller holds the API's lock."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.ecr.models import ecr_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.documents import Policy, parse_policy

DECIDES = frozenset({"kms", "sts"})
"""Prefixes of actions that are allowed by the resource's own policy or not at all."""


@dataclass(frozen=True)
class _Place:
    region: str
    account: str
    name: str


def resource_policy(prefix: str, arn: str) -> Policy | None:
    """The policy of a resource; None where it has none. Raises PolicyError for one that cannot be read."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or prefix not in _DOCUMENTS:
        return None
    try:
        document = _DOCUMENTS[prefix](_Place(parts[3], parts[4], parts[5]), arn)
    except (KeyError, StopIteration):
        return None
    if not document:
        return None
    return parse_policy(document if isinstance(document, str) else json.dumps(document))


def owner_of(prefix: str, arn: str, account: str) -> str:
    """The account that a resource belongs to; `account` where its ARN does not say."""
    if prefix == "s3":
        return known.bucket_owner(arn.partition(":::")[2].partition("/")[0]) or account
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdecimal() else account


def decides(prefix: str, arn: str) -> bool:
    """Whether identity policies count only as far as the resource's policy lets them."""
    return prefix in DECIDES and (":key/" in arn or ":role/" in arn)


def _bucket(_: _Place, arn: str) -> Any:
    name = arn.partition(":::")[2].partition("/")[0]
    partition, account = s3_backends.bucket_accounts[name]
    policy = s3_backends[account][partition].buckets[name].policy
    return policy.decode() if isinstance(policy, bytes) else policy


def _queue(place: _Place, _: str) -> Any:
    return sqs_backends[place.account][place.region].queues[place.name].policy


def _topic(place: _Place, arn: str) -> Any:
    return sns_backends[place.account][place.region].topics[arn].policy


def _key(place: _Place, _: str) -> Any:
    return kms_backends[place.account][place.region].keys[place.name.removeprefix("key/")].policy


def _secret(place: _Place, arn: str) -> Any:
    return getattr(secretsmanager_backends[place.account][place.region].secrets[arn], "policy", None)


def _repository(place: _Place, _: str) -> Any:
    return ecr_backends[place.account][place.region].repositories[place.name.removeprefix("repository/")].policy


def _table(place: _Place, arn: str) -> Any:
    """What a table's policy says of its indexes stands in it too."""
    table = arn.partition("/index/")[0]
    return dynamodb_backends[place.account][place.region].resource_policies[table].policy_doc


def _trust(_: _Place, arn: str) -> Any:
    role = known.role(arn)
    return role.assume_role_policy_document if role else None


_DOCUMENTS: Mapping[str, Callable[[_Place, str], Any]] = {
    "dynamodb": _table,
    "ecr": _repository,
    "kms": _key,
    "s3": _bucket,
    "secretsmanager": _secret,
    "sns": _topic,
    "sqs": _queue,
    "sts": _trust,
}
"""By the prefix of the action."""
