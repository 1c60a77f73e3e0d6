"""In which target groups a cluster's own identity may register its pods."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace

import pytest
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from slipway.sandbox.traffic import registration
from slipway.sandbox.traffic.health import TargetHealth
from slipway.sandbox.traffic.model import Target
from slipway.sandbox.traffic.registration import CLUSTER_TAG, MotoRegistry

OURS, OTHERS, REGION = "200000000001", "200000000002", "us-east-1"


def _target_group(account: str, name: str, tags: dict[str, str]) -> str:
    ec2 = ec2_backends[account][REGION]
    vpc = ec2.create_vpc("10.0.0.0/16")
    group = elbv2_backends[account][REGION].create_target_group(
        name,
        protocol="HTTP",
        port=80,
        vpc_id=vpc.id,
        target_type="ip",
        tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return group.arn


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> MotoRegistry:
    """Where EKS knows one cluster in Auto Mode, and one with node groups."""
    account = SimpleNamespace(account_id=OURS, region_name=REGION)
    clusters = {
        "auto": (account, SimpleNamespace(in_auto_mode=True)),
        "nodes": (account, SimpleNamespace(in_auto_mode=False)),
    }
    monkeypatch.setattr(registration, "find_cluster", clusters.get)
    return MotoRegistry(lambda: None, _no_health)


def _no_health(arn: str, targets: Collection[Target]) -> dict[Target, TargetHealth]:
    del arn, targets
    return {}


def test_cluster_registers_in_no_other_accounts_target_group(registry: MotoRegistry) -> None:
    arn = _target_group(OTHERS, "theirs", {CLUSTER_TAG: "auto"})
    for cluster in ("auto", "nodes"):
        refusal = f"the target group is of account {OTHERS}, and the cluster {cluster} of {OURS}"
        assert registry.refusal(cluster, arn) == refusal


def test_in_auto_mode_the_target_group_bears_the_clusters_name(registry: MotoRegistry) -> None:
    own = _target_group(OURS, "own", {CLUSTER_TAG: "auto"})
    prods = _target_group(OURS, "prods", {CLUSTER_TAG: "prod"})
    nobodys = _target_group(OURS, "nobodys", {"Name": "x"})

    assert not registry.refusal("auto", own)
    assert CLUSTER_TAG in registry.refusal("auto", prods)
    assert CLUSTER_TAG in registry.refusal("auto", nobodys)
    assert not any(registry.refusal("nodes", arn) for arn in (own, prods, nobodys))
    assert not registry.refusal("auto", "no-target-group")
