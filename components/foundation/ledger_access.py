"""Which rights the ledger's table wants, and whose its partitions are. Pure: no Pulumi, no AWS."""

from .policy_document import Conditions

LEDGER_READ = ("dynamodb:GetItem", "dynamodb:Query")
LEDGER_WRITE = ("dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
LEDGER_KEY = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
SHARED_PARTITIONS = ("releases#*", "targets")
"""What no environment owns: releases, and where services are delivered to. What an environment found out about a release is its own."""


def _partitions(*keys: str) -> Conditions:
    # Without the second condition a request that names no partition (a scan) would pass the first.
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def read_partitions(environment: str) -> Conditions:
    """The ledger's partitions that a preview reads."""
    return _partitions(f"{environment}#*")


def write_partitions(environment: str) -> Conditions:
    """The ledger's partitions that a release writes."""
    return _partitions(f"{environment}#*", *SHARED_PARTITIONS)
