"""When an object of each kind is ready, as pulumi-kubernetes waits for it."""

from __future__ import annotations

from slipway.sandbox.providers.kubernetes.objects import GroupVersionKind
from slipway.sandbox.providers.kubernetes.readiness.others import (
    check_claim,
    check_crd,
    check_quota,
    check_secret,
    check_volume,
    wait_for_rule,
)
from slipway.sandbox.providers.kubernetes.readiness.pods import check_pod
from slipway.sandbox.providers.kubernetes.readiness.seen import READY, Collection, Readiness, Rule, Seen
from slipway.sandbox.providers.kubernetes.readiness.services import check_ingress, check_service
from slipway.sandbox.providers.kubernetes.readiness.workloads import (
    check_daemon_set,
    check_deployment,
    check_job,
    check_replication_controller,
    check_stateful_set,
)

__all__ = ["READY", "RULES", "Collection", "Readiness", "Rule", "Seen", "rule_for"]

_POD = GroupVersionKind("", "v1", "Pod")
_REPLICA_SET = GroupVersionKind("apps", "v1", "ReplicaSet")
_CLAIM = GroupVersionKind("", "v1", "PersistentVolumeClaim")

RULES: dict[tuple[str, str], Rule] = {
    ("", "PersistentVolume"): Rule(check=check_volume, timeout_seconds=300),
    ("", "PersistentVolumeClaim"): Rule(
        check=check_claim, related=[GroupVersionKind("storage.k8s.io", "v1", "StorageClass")], timeout_seconds=300
    ),
    ("", "Pod"): Rule(check=check_pod),
    ("", "ReplicationController"): Rule(check=check_replication_controller, related=[_POD]),
    ("", "ResourceQuota"): Rule(check=check_quota, timeout_seconds=60),
    ("", "Secret"): Rule(check=check_secret, timeout_seconds=5),
    ("", "Service"): Rule(check=check_service, related=[GroupVersionKind("discovery.k8s.io", "v1", "EndpointSlice")]),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Rule(check=check_crd, timeout_seconds=60),
    ("apps", "DaemonSet"): Rule(check=check_daemon_set, related=[_POD]),
    ("apps", "Deployment"): Rule(check=check_deployment, related=[_REPLICA_SET, _POD, _CLAIM]),
    ("apps", "StatefulSet"): Rule(check=check_stateful_set, related=[_POD]),
    ("batch", "Job"): Rule(check=check_job, related=[_POD]),
    ("networking.k8s.io", "Ingress"): Rule(check=check_ingress, related=[GroupVersionKind("", "v1", "Service")]),
}


def rule_for(kind: GroupVersionKind, wait_for: str) -> Rule | None:
    """How to wait for an object; None: it is ready once it is there. `wait_for`: the user's own conditions, from the annotation."""
    if wait_for:
        return Rule(check=wait_for_rule(wait_for))
    return RULES.get((kind.group, kind.kind))
