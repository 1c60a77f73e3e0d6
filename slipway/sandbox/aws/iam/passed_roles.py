"""iam:PassRole: needed for each role that a call hands to a service.

Source: "Grant a user permissions to pass a role to an AWS service", IAM User Guide.
"""

from __future__ import annotations

import re

from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.parameters import named_texts
from slipway.sandbox.aws.iam.requests import ApiCall
from slipway.sandbox.aws.iam.special_resources import Need

ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d*:role/.+")
NOT_PASSING = frozenset({"sts", "iam"})
"""Their roles are what the call is about."""
NOT_PASSED = frozenset({"targetrolearn", "principalarn"})
"""The service takes on the target by sts:AssumeRole; access entries only name their principal."""
OTHER_NAMES = frozenset({"deliverlogspermissionarn", "delivercrossaccountrole"})
ROLE_NAMES = frozenset({"domainiamrolename"})
RECEIVERS = {
    ("ec2", "CreateFlowLogs"): "vpc-flow-logs.amazonaws.com",
    ("eks", "CreatePodIdentityAssociation"): "pods.eks.amazonaws.com",
    ("eks", "UpdatePodIdentityAssociation"): "pods.eks.amazonaws.com",
    ("eks", "CreateFargateProfile"): "eks-fargate-pods.amazonaws.com",
    ("rds", "CreateDBInstance"): "monitoring.rds.amazonaws.com",
    ("rds", "ModifyDBInstance"): "monitoring.rds.amazonaws.com",
}
"""iam:PassedToService where it is not the service that is called."""


def passed_roles(call: ApiCall) -> list[Need]:
    """What the call needs beside its own action."""
    if call.service == "iam" and call.operation == "AddRoleToInstanceProfile":
        name = str(call.parameters.get("RoleName", ""))
        return [_need(known.iam_arn("role", name, call.account), "ec2.amazonaws.com")]
    if call.service in NOT_PASSING:
        return []
    receiver = RECEIVERS.get((call.prefix, call.operation), f"{call.prefix}.amazonaws.com")
    return [_need(arn, receiver) for arn in dict.fromkeys(_roles(call))]


def _roles(call: ApiCall) -> list[str]:
    arns: list[str] = []
    for name, text in named_texts(call.parameters):
        lower = name.lower()
        if ROLE_ARN.fullmatch(text) and ("role" in lower or lower in OTHER_NAMES) and lower not in NOT_PASSED:
            arns.append(text)
        elif lower in ROLE_NAMES:
            arns.append(known.iam_arn("role", text, call.account))
    profile = call.parameters.get("IamInstanceProfile")
    for _, text in named_texts(profile):
        arns += known.profile_roles(text, call.account)
    return arns


def _need(arn: str, receiver: str) -> Need:
    return Need("iam:PassRole", arn, context=(("iam:passedtoservice", receiver),))
