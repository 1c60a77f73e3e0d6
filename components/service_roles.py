"""IAM roles that an AWS service takes on, with AWS-managed policies only."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import pulumi
import pulumi_aws as aws


class ServiceRole(NamedTuple):
    """A role and the attachments of its policies."""

    role: aws.iam.Role
    attachments: list[pulumi.Resource]
    """What uses the role depends on these: it has no rights before them, and cleans up with them on destroy."""


def build_service_role(
    name: str, *, service: str, managed_policies: Sequence[str], opts: pulumi.ResourceOptions
) -> ServiceRole:
    """A role for `service` (such as `eks.amazonaws.com`) with the named policies of the `arn:aws:iam::aws:policy/` family."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
        ],
    }
    role = aws.iam.Role(name, assume_role_policy=json.dumps(trust), opts=opts)
    attachments: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy.rsplit('/', 1)[-1]}",
            role=role.name,
            policy_arn=f"arn:aws:iam::aws:policy/{policy}",
            opts=opts,
        )
        for policy in managed_policies
    ]
    return ServiceRole(role, attachments)
