"""Registers targets in moto's target groups, as RegisterTargets and DeregisterTargets do for a cluster's own identity."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from moto.elbv2.models import FakeTargetGroup, elbv2_backends

from slipway.sandbox.aws.eks.models import RealCluster, find_cluster
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.world import world
from slipway.sandbox.traffic.health import TargetHealth
from slipway.sandbox.traffic.model import Target

CLUSTER_TAG = "eks:eks-cluster-name"


class MotoRegistry:
    """Implements `bindings.TargetRegistry`."""

    def __init__(
        self,
        changed: Callable[[], None],
        health: Callable[[str, Collection[Target]], Mapping[Target, TargetHealth]],
    ) -> None:
        """`changed`: makes the new state effective; called without the API's lock. `health`: what the state says of targets."""
        self._changed = changed
        self._health = health

    def health(self, arn: str, targets: Collection[Target]) -> Mapping[Target, TargetHealth]:
        """Of these targets; nothing when there is no such target group."""
        return self._health(arn, targets)

    def registered(self, arn: str) -> frozenset[Target]:
        """What is registered now; nothing when there is no such target group."""
        with API_LOCK:
            group = _find(arn)
            known: list[Any] = list(group.targets.values()) if group else []
            return frozenset(Target(target["Id"], int(target["Port"])) for target in known)

    def refusal(self, cluster: str, arn: str) -> str:
        """Why the identity of the cluster's controller may not register targets there; empty when it may.

        The target group must be of the cluster's account; in Auto Mode it must bear the cluster's name as a tag, too.
        Source: AmazonEKSLoadBalancingPolicy, version 2; the AWS Load Balancer Controller's own policy asks for no tag.
        """
        with API_LOCK:
            group, owner = _find(arn), find_cluster(cluster)
            if group is None or owner is None:
                return ""
            backend, found = owner
            account = arn.split(":")[4]
            if account != backend.account_id:
                return f"the target group is of account {account}, and the cluster {cluster} of {backend.account_id}"
            if not cast(RealCluster, found).in_auto_mode:
                return ""
            tags: dict[str, dict[str, str]] = elbv2_backends[account][arn.split(":")[3]].describe_tags([arn])
            if tags[arn].get(CLUSTER_TAG) == cluster:
                return ""
            return f"in Auto Mode a cluster registers only in target groups with the tag {CLUSTER_TAG}: {cluster}"

    def change_targets(self, arn: str, add: Sequence[Target], remove: Sequence[Target]) -> bool:
        """Register first, so that a replacement never leaves the group empty. False when there is no such target group."""
        with API_LOCK:
            group = _find(arn)
            if group is None:
                return False
            if add:
                group.register([{"Id": target.address, "Port": target.port} for target in add])
            if remove:
                group.deregister([{"Id": target.address, "Port": target.port} for target in remove])
            world().save("elbv2")
        self._changed()
        return True


def _find(arn: str) -> FakeTargetGroup | None:
    parts = arn.split(":")
    if len(parts) < 6:
        return None
    region, account = parts[3], parts[4]
    if region not in elbv2_backends[account]:
        return None
    return elbv2_backends[account][region].target_groups.get(arn)
