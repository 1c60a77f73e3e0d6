"""Trust policies that let EKS Pod Identity give a role to a pod, and those that do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.sandbox.aws.eks.pod_trust import trusts_pod_identity

PODS = {"Service": "pods.eks.amazonaws.com"}
BOTH = ["sts:AssumeRole", "sts:TagSession"]
CONTEXT = {"aws:SourceAccount": "123456789012", "aws:RequestTag/kubernetes-service-account": "orders"}


def statement(principal: Any = PODS, action: Any = BOTH, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": action, **more}


def condition(operator: str, key: str, value: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


ACCOUNT_TAG = "aws:RequestTag/kubernetes-service-account"


@pytest.mark.parametrize(
    ("statements", "trusted"),
    [
        ([statement()], True),
        (statement(), True),
        ([statement(action="sts:AssumeRole"), statement(action="sts:TagSession")], True),
        ([statement(action="sts:*")], True),
        ([statement(principal={"Service": ["ec2.amazonaws.com", "pods.eks.amazonaws.com"]})], True),
        ([statement(**condition("StringEquals", ACCOUNT_TAG, ["billing", "orders"]))], True),
        ([statement(**condition("StringLike", ACCOUNT_TAG.lower(), "ord*"))], True),
        ([], False),
        ([statement(action="sts:AssumeRole")], False),
        ([statement(principal={"Service": "ec2.amazonaws.com"})], False),
        ([statement(principal={"AWS": "*"})], False),
        ([statement(**condition("StringEquals", ACCOUNT_TAG, "billing"))], False),
        ([statement(**condition("StringEquals", "aws:SourceVpc", "vpc-1"))], False),
        ([statement(), statement(effect="Deny", action="sts:TagSession")], False),
        ([statement(), statement(effect="Deny", **condition("StringEquals", ACCOUNT_TAG, "billing"))], True),
        ([statement(), statement(effect="Deny", **condition("Odd", ACCOUNT_TAG, "billing"))], False),
    ],
)
def test_role_is_given_where_both_actions_are_allowed_and_none_is_denied(statements: Any, trusted: bool) -> None:
    assert trusts_pod_identity(json.dumps({"Statement": statements}), CONTEXT) == trusted


def test_refuses_a_policy_that_is_no_json() -> None:
    assert not trusts_pod_identity("", CONTEXT)
