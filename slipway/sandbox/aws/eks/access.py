"""Who may use a cluster: access entries and the access policies associated with them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

POLICY_ARN_PREFIX = "arn:aws:eks::aws:cluster-access-policy/"
POLICY_GROUPS = {
    "AmazonEKSClusterAdminPolicy": "eks:access:cluster-admin",
    "AmazonEKSAdminPolicy": "eks:access:admin",
    "AmazonEKSAdminViewPolicy": "eks:access:view",
    "AmazonEKSEditPolicy": "eks:access:edit",
    "AmazonEKSViewPolicy": "eks:access:view",
}
"""AWS's access policies and the group that the cluster binds to the same rights."""
ENTRY_TYPES = frozenset(
    {"STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"}
)
_USER = re.compile(r"arn:(?P<partition>[\w-]+):(?:sts|iam)::(?P<account>\d+):user/(?P<name>.+)")
_SESSION = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/(?P<session>.+)")


@dataclass
class AccessPolicy:
    """One association of a policy with an entry."""

    policy_arn: str
    access_scope: dict[str, object]
    associated_at: datetime
    modified_at: datetime

    @property
    def group(self) -> str:
        """The Kubernetes group that has the policy's rights."""
        return POLICY_GROUPS[self.policy_arn.removeprefix(POLICY_ARN_PREFIX)]


@dataclass
class AccessEntry:
    """One IAM principal's way into a cluster."""

    cluster_name: str
    principal_arn: str
    access_entry_arn: str
    username: str
    type: str
    kubernetes_groups: list[str]
    tags: dict[str, str]
    created_at: datetime
    modified_at: datetime
    policies: dict[str, AccessPolicy] = field(default_factory=dict[str, AccessPolicy])

    def identity(self, caller_arn: str) -> tuple[str, list[str]]:
        """User name and groups in Kubernetes of a caller whom this entry lets in."""
        session = _SESSION.fullmatch(caller_arn)
        # Kubernetes user names may not hold what a role session may: EKS replaces the @ of mail addresses too.
        name = self.username.replace("{{SessionName}}", session["session"].replace("@", "-") if session else "")
        return name, sorted({*self.kubernetes_groups, *(policy.group for policy in self.policies.values())})


def new_entry(  # the arguments are CreateAccessEntry's
    cluster_arn: str, principal_arn: str, *, entry_type: str, username: str, groups: list[str], tags: dict[str, str]
) -> AccessEntry:
    """An entry with EKS's default user name: the ARN, for a role with the session's name."""
    name = cluster_arn.rpartition("/")[2]
    now = datetime.now(UTC)
    return AccessEntry(
        cluster_name=name,
        principal_arn=principal_arn,
        access_entry_arn=f"{cluster_arn.replace(':cluster/', ':access-entry/')}/{_path_of(principal_arn)}/{uuid4()}",
        username=username or _default_username(principal_arn, entry_type),
        type=entry_type,
        kubernetes_groups=groups or (["system:nodes"] if entry_type.startswith("EC2") else []),
        tags=tags,
        created_at=now,
        modified_at=now,
    )


def principal_of(caller_arn: str) -> str:
    """The IAM principal behind a caller: of a role session the role, of a user the user."""
    session = _SESSION.fullmatch(caller_arn)
    if session:
        return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"
    user = _USER.fullmatch(caller_arn)
    return f"arn:{user['partition']}:iam::{user['account']}:user/{user['name']}" if user else caller_arn


def same_principal(entry_arn: str, caller_arn: str) -> bool:
    """Whether a caller is the principal of an entry. Role paths are left out, as callers' ARNs have none."""
    wanted, given = principal_of(entry_arn), principal_of(caller_arn)
    if ":role/" in wanted and ":role/" in given:
        return wanted.split(":")[4] == given.split(":")[4] and wanted.rpartition("/")[2] == given.rpartition("/")[2]
    return wanted == given


def _default_username(principal_arn: str, entry_type: str) -> str:
    if entry_type.startswith("EC2"):
        return "system:node:{{EC2PrivateDNSName}}"
    if ":role/" in principal_arn:
        account = principal_arn.split(":")[4]
        return f"arn:aws:sts::{account}:assumed-role/{principal_arn.rpartition('/')[2]}/{{{{SessionName}}}}"
    return principal_arn


def _path_of(principal_arn: str) -> str:
    kind, _, name = principal_arn.split(":")[5].partition("/")
    return f"{kind}/{principal_arn.split(':')[4]}/{name.rpartition('/')[2]}"
