"""Who gets into a cluster: EKS access entries, and nothing else."""

import hashlib
import re
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from .errors import ArgsError

POLICY_ARN = "arn:aws:eks::aws:cluster-access-policy/"
PRINCIPAL = re.compile(r"arn:[\w-]+:iam::\d{12}:(role|user)/.+")


def check_principals(admins: Sequence[str], viewers: Sequence[str]) -> None:
    """Raises ArgsError unless there is an administrator, and every principal is a role or user named once."""
    if not admins:
        raise ArgsError("admin_principal_arns", got=admins, want="at least one, or nobody could use the cluster")
    for field, arns in (("admin_principal_arns", admins), ("view_principal_arns", viewers)):
        for arn in arns:
            if not PRINCIPAL.fullmatch(arn):
                raise ArgsError(field, got=arn, want="ARNs of IAM roles or users; of a session, name its role")
            if [*admins, *viewers].count(arn) > 1:
                raise ArgsError(field, got=arn, want="each principal once: EKS has one access entry for it")


def build_access(
    name: str, cluster_name: pulumi.Input[str], policies: Mapping[str, str], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """An access entry for each principal with its access policy, such as `AmazonEKSViewPolicy`, in the whole cluster."""
    made: list[pulumi.Resource] = []
    last_parts = [_last_part(arn) for arn in policies]
    for arn, policy in policies.items():
        child = f"{name}-access-{hashlib.sha256(arn.encode()).hexdigest()[:8]}"
        # Until November 2026 children had the last part of the ARN, which two principals may share.
        old_names = [f"{name}-admin-{_last_part(arn)}"] if last_parts.count(_last_part(arn)) == 1 else []
        aliases = [pulumi.Alias(name=old_name) for old_name in old_names]
        opts_of_child = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=aliases))
        entry = aws.eks.AccessEntry(child, cluster_name=cluster_name, principal_arn=arn, opts=opts_of_child)
        association = aws.eks.AccessPolicyAssociation(
            child,
            cluster_name=cluster_name,
            principal_arn=entry.principal_arn,
            policy_arn=f"{POLICY_ARN}{policy}",
            access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
            opts=opts_of_child,
        )
        made += [entry, association]
    return made


def _last_part(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
