"""In which account a call runs: in that of what it names, where the service lets other accounts name it, and else in the caller's.

Sources: "Cross-account resource access in IAM", IAM User Guide; for KMS "Allowing users in other accounts to use a KMS key".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Parameters = Mapping[str, Any]

ARN = re.compile(r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:(\d{12}):.+", re.DOTALL)
QUEUE = re.compile(r"https?://[^/]+/(\d{12})/[^/]+/?")
ACCOUNT = re.compile(r"\d{12}")
KMS_OPERATIONS = frozenset({
    "CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GetKeyRotationStatus", "GetPublicKey", "ListGrants", "ReEncrypt", "RetireGrant",
    "RevokeGrant", "Sign", "Verify", "VerifyMac",
})  # fmt: skip
"""What may be asked of another account's key. Source: KMS developer guide, "KMS operations that are used in other accounts"."""


class SeveralAccountsError(Exception):
    """What a call names is in more than one account, and moto can run it in one only."""


def account_of(service: str, operation: str, parameters: Parameters, caller: str) -> str:
    """The account in which a call of botocore's `service` runs; `caller` is the caller's. Raises SeveralAccountsError."""
    named = None if service == "kms" and operation not in KMS_OPERATIONS else _NAMED.get(service)
    accounts = {each or caller for each in named(parameters)} if named else set[str]()
    if len(accounts) > 1:
        raise SeveralAccountsError(f"what it names is in several accounts: {', '.join(sorted(accounts))}")
    return accounts.pop() if accounts else caller


def _tables(parameters: Parameters) -> Iterator[str]:
    parts = [part for item in parameters.get("TransactItems") or () for part in item.values()]
    names = [parameters.get("TableName"), parameters.get("ResourceArn"), *(parameters.get("RequestItems") or ())]
    for name in (*names, *(part.get("TableName") for part in parts)):
        if name:
            yield next(_accounts(name), "")  # by its name alone it is the caller's


def _registries(parameters: Parameters) -> Iterator[str]:
    registry = str(parameters.get("registryId") or "")
    if ACCOUNT.fullmatch(registry):
        yield registry
    yield from _accounts(parameters.get("resourceArn"))


def _keys(parameters: Parameters) -> Iterator[str]:
    yield from _accounts(*(parameters.get(name) for name in ("KeyId", "SourceKeyId", "DestinationKeyId")))


def _secrets(parameters: Parameters) -> Iterator[str]:
    yield from _accounts(parameters.get("SecretId"), *(parameters.get("SecretIdList") or ()))


def _topics(parameters: Parameters) -> Iterator[str]:
    yield from _accounts(*(parameters.get(name) for name in ("TopicArn", "TargetArn", "SubscriptionArn")))


def _queues(parameters: Parameters) -> Iterator[str]:
    found = QUEUE.fullmatch(str(parameters.get("QueueUrl") or ""))
    owner = str(parameters.get("QueueOwnerAWSAccountId") or "")
    if found or ACCOUNT.fullmatch(owner):
        yield found[1] if found else owner


def _accounts(*arns: object) -> Iterator[str]:
    yield from (found[1] for arn in arns if (found := ARN.fullmatch(str(arn))))


_NAMED: Mapping[str, Callable[[Parameters], Iterator[str]]] = {
    "dynamodb": _tables,
    "ecr": _registries,
    "kms": _keys,
    "secretsmanager": _secrets,
    "sns": _topics,
    "sqs": _queues,
}
