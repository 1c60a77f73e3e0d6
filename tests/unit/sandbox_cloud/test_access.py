"""Access entries: which callers they match, and whom they become in Kubernetes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from slipway.sandbox.aws.eks.access import AccessEntry, AccessPolicy, new_entry, principal_of, same_principal

CLUSTER = "arn:aws:eks:us-east-1:123456789012:cluster/dev"
ROLE = "arn:aws:iam::123456789012:role/team/deployer"
SESSION = "arn:aws:sts::123456789012:assumed-role/deployer/ada@example.com"


def entry_of(principal: str, groups: list[str] | None = None) -> AccessEntry:
    return new_entry(CLUSTER, principal, entry_type="STANDARD", username="", groups=groups or [], tags={})


@pytest.mark.parametrize(
    ("entry", "caller", "same"),
    [
        (ROLE, SESSION, True),
        (ROLE, "arn:aws:sts::999999999999:assumed-role/deployer/ada", False),
        (ROLE, "arn:aws:sts::123456789012:assumed-role/other/ada", False),
        (ROLE, "arn:aws:iam::123456789012:user/deployer", False),
        ("arn:aws:iam::123456789012:user/ada", "arn:aws:iam::123456789012:user/ada", True),
        ("arn:aws:iam::123456789012:user/ada", "arn:aws:sts::123456789012:user/ada", True),
    ],
)
def test_entry_matches_only_its_own_principal(entry: str, caller: str, same: bool) -> None:
    assert same_principal(entry, caller) is same


def test_session_is_named_by_role_and_session_when_a_role_is_assumed() -> None:
    entry = entry_of(ROLE, ["deployers"])
    now = datetime.now(UTC)
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"
    entry.policies[policy] = AccessPolicy(policy, {"type": "cluster"}, now, now)
    name, groups = entry.identity(SESSION)
    assert name == "arn:aws:sts::123456789012:assumed-role/deployer/ada-example.com"
    assert groups == ["deployers", "eks:access:edit"]


def test_creator_of_a_cluster_is_the_role_behind_the_session() -> None:
    assert principal_of(SESSION) == "arn:aws:iam::123456789012:role/deployer"
