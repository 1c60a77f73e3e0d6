"""What a service's pods may do in AWS: a role of their own, by EKS Pod Identity."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .errors import ArgsError

PODS = "pods.eks.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Actions that a service's pods may take on resources."""

    actions: Sequence[str]
    """IAM actions such as `sqs:SendMessage`; the service must be named."""
    resources: Sequence[pulumi.Input[str]]
    """ARNs, `*` for actions that know no resource."""

    def __post_init__(self) -> None:
        if not self.actions or not all(":" in action for action in self.actions):
            raise ArgsError("actions", got=self.actions, want="IAM actions such as sqs:SendMessage, one or more")
        if not self.resources:
            raise ArgsError("resources", got=self.resources, want="ARNs, one or more")


def build_pod_identity(
    name: str,
    *,
    cluster_name: pulumi.Input[str],
    namespace: str,
    service_account: str,
    permissions: Sequence[Permission],
    boundary_arn: pulumi.Input[str] | None,
    opts: pulumi.ResourceOptions,
    part: str = "pods",
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """The role of one service account, and what its pods must not start before: they get credentials only if the association exists.

    Children are named `<name>-<part>`; CI may write policies where that begins with `<name>-pods`. The role trusts EKS for this service
    account alone. Nothing of it waits for the namespace, which AWS does not look for.
    Source: EKS user guide, "Create IAM role with trust policy required by EKS Pod Identity".
    """
    role = aws.iam.Role(
        f"{name}-{part}",
        assume_role_policy=_render_trust(namespace, service_account),
        permissions_boundary=boundary_arn,
        opts=opts,
    )
    needed: list[pulumi.Resource] = []
    if permissions:
        policy = _render_policy(permissions)
        needed.append(aws.iam.RolePolicy(f"{name}-{part}", role=role.name, policy=policy, opts=opts))
    association = aws.eks.PodIdentityAssociation(
        f"{name}-{part}",
        cluster_name=cluster_name,
        namespace=namespace,
        service_account=service_account,
        role_arn=role.arn,
        opts=opts,
    )
    return role, [*needed, association]


def _render_trust(namespace: str, service_account: str) -> str:
    tags = "aws:RequestTag/kubernetes-"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": PODS},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {f"{tags}namespace": namespace, f"{tags}service-account": service_account}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _render_policy(permissions: Sequence[Permission]) -> pulumi.Output[str]:
    statements = [
        {"Effect": "Allow", "Action": list(each.actions), "Resource": list(each.resources)} for each in permissions
    ]
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": statements})
