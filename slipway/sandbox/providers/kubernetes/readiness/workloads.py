"""Deployments, StatefulSets, DaemonSets, ReplicationControllers and Jobs."""

from __future__ import annotations

from typing import Any, cast

from slipway.sandbox.providers.kubernetes.objects import KubernetesObject, annotation, metadata_of, name_of
from slipway.sandbox.providers.kubernetes.readiness.pods import complaints
from slipway.sandbox.providers.kubernetes.readiness.seen import (
    READY,
    Collection,
    Readiness,
    Seen,
    at,
    conditions,
    count,
    explained,
    is_observed,
    is_true,
    title,
)

_REVISION = "deployment.kubernetes.io/revision"


def check_deployment(seen: Seen) -> Readiness:
    """The new ReplicaSet has all its pods available and the old ones have none, as `kubectl rollout status` sees it."""
    deployment = seen.live
    if not is_observed(deployment):
        return Readiness(ready=False, message=f'Waiting for the controller to see Deployment "{title(deployment)}"')
    if at(deployment, "spec", "paused"):
        return READY  # nothing moves until somebody resumes it; waiting would never end
    wanted = count(deployment, "spec", "replicas", default=1)
    updated, available = (
        count(deployment, "status", "updatedReplicas"),
        count(deployment, "status", "availableReplicas"),
    )
    if updated >= wanted and count(deployment, "status", "replicas") <= updated and available >= updated:
        return READY
    found = conditions(deployment)
    stuck = found.get("Progressing", {})
    reasons = [
        explained(found[name]) for name in ("Progressing", "ReplicaFailure", "Available") if _is_bad(found.get(name))
    ]
    reasons += _unbound_claims(deployment, seen.related["PersistentVolumeClaim"])
    reasons += complaints(_pods_of_new_replica_set(seen))
    if not reasons:
        reasons = ["Minimum number of Pods to consider the application live was not attained"]
    return Readiness(
        ready=False,
        message=f"Waiting for app ReplicaSet to be available ({available}/{wanted} Pods available)",
        reasons=tuple(reasons),
        failed=stuck.get("status") == "False" and stuck.get("reason") == "ProgressDeadlineExceeded",
    )


def _is_bad(condition: dict[str, Any] | None) -> bool:
    if condition is None:
        return False
    return (
        (condition.get("status") == "True")
        if condition.get("type") == "ReplicaFailure"
        else condition.get("status") == "False"
    )


def _pods_of_new_replica_set(seen: Seen) -> list[KubernetesObject]:
    revision = annotation(seen.live, _REVISION)
    newest = [
        item for item in seen.related["ReplicaSet"].owned_by(seen.live) if annotation(item, _REVISION) == revision
    ]
    return [
        pod
        for owner in newest
        for pod in seen.related["Pod"].owned_by(owner)
        if "deletionTimestamp" not in metadata_of(pod)
    ]


def _unbound_claims(deployment: KubernetesObject, claims: Collection) -> list[str]:
    volumes = cast("list[dict[str, Any]]", at(deployment, "spec", "template", "spec", "volumes", default=[]))
    names = {at(volume, "persistentVolumeClaim", "claimName") for volume in volumes}
    unbound = [
        name_of(claim)
        for claim in claims.objects()
        if name_of(claim) in names and at(claim, "status", "phase") != "Bound"
    ]
    return [f"Failed to bind PersistentVolumeClaim(s): {', '.join(sorted(unbound))}"] if unbound else []


def check_stateful_set(seen: Seen) -> Readiness:
    """All replicas ready, of the newest revision."""
    found = seen.live
    wanted, ready = count(found, "spec", "replicas", default=1), count(found, "status", "readyReplicas")
    partition = count(found, "spec", "updateStrategy", "rollingUpdate", "partition")
    on_delete = at(found, "spec", "updateStrategy", "type") == "OnDelete"
    updated = count(found, "status", "updatedReplicas")
    all_ready = count(found, "status", "replicas") == wanted and ready == wanted
    rolled = on_delete or updated >= wanted - min(partition, wanted)
    if is_observed(found) and all_ready and rolled:
        return READY
    reasons = [] if all_ready else [f"{ready} out of {wanted} replicas succeeded readiness checks"]
    if not rolled:
        old, new = at(found, "status", "currentRevision", default=""), at(found, "status", "updateRevision", default="")
        reasons.append(f'StatefulSet controller failed to advance from revision "{old}" to revision "{new}"')
    return Readiness(
        ready=False,
        message=f"Waiting for StatefulSet to create Pods ({ready}/{wanted} Pods ready)",
        reasons=(*reasons, *complaints(seen.related["Pod"].owned_by(found))),
    )


def check_daemon_set(seen: Seen) -> Readiness:
    """A pod of the newest revision available on every node that should have one."""
    found = seen.live
    wanted = count(found, "status", "desiredNumberScheduled")
    available = count(found, "status", "numberAvailable")
    on_delete = at(found, "spec", "updateStrategy", "type") == "OnDelete"
    updated = wanted if on_delete else count(found, "status", "updatedNumberScheduled")
    if is_observed(found) and updated >= wanted and available >= wanted:
        return READY
    return Readiness(
        ready=False,
        message=f"Waiting for DaemonSet Pods ({available}/{wanted} available, {updated}/{wanted} updated)",
        reasons=(f"{available} out of {wanted} Pods are available", *complaints(seen.related["Pod"].owned_by(found))),
    )


def check_replication_controller(seen: Seen) -> Readiness:
    """As many replicas available as wanted."""
    wanted, available = count(seen.live, "spec", "replicas", default=1), count(seen.live, "status", "availableReplicas")
    if is_observed(seen.live) and available == wanted:
        return READY
    return Readiness(
        ready=False,
        message=f"Waiting for ReplicationController replicas ({available}/{wanted})",
        reasons=complaints(seen.related["Pod"].owned_by(seen.live)),
    )


def check_job(seen: Seen) -> Readiness:
    """Complete. A failed job ends the waiting at once."""
    job = seen.live
    if is_true(job, "Complete") or at(job, "spec", "suspend"):
        return READY
    pods = seen.related["Pod"].owned_by(job)
    failure = conditions(job).get("Failed", {})
    failed = failure.get("status") == "True"
    status = cast("dict[str, Any]", job.get("status") or {})
    progress = f"Active: {status.get('active', 0)} | Succeeded: {status.get('succeeded', 0)} | Failed: {status.get('failed', 0)}"
    return Readiness(
        ready=False,
        message=f'Waiting for Job "{title(job)}" to succeed ({progress})',
        reasons=((explained(failure),) if failed else ()) + complaints(pods),
        failed=failed,
    )
