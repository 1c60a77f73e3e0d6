"""IAM roles that an AWS service takes on, with AWS-managed policies only."""

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws


def build_service_role(
    name: str, *, service: str, managed_policies: Sequence[str], opts: pulumi.ResourceOptions
) -> aws.iam.Role:
    """A role for `service` (such as `eks.amazonaws.com`) with the named policies of the `arn:aws:iam::aws:policy/` family."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
        ],
    }
    role = aws.iam.Role(name, assume_role_policy=json.dumps(trust), opts=opts)
    for policy in managed_policies:
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy.rsplit('/', 1)[-1]}",
            role=role.name,
            policy_arn=f"arn:aws:iam::aws:policy/{policy}",
            opts=opts,
        )
    return role
