"""Which changes cannot be made in place. Source: pulumi-kubernetes 4.34, provider/pkg/provider/diff.go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from slipway.sandbox.providers.kubernetes.objects import GroupVersionKind, KubernetesObject

Path: TypeAlias = tuple[str | int, ...]

IDENTITY: tuple[str, ...] = ("metadata.name", "metadata.namespace")


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_VOLUME_SOURCES = _names("""
    awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs hostPath iscsi local nfs
    photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume
""")
_POD_FIELDS = _names("""
    affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork hostPID hostname
    imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName readinessGates restartPolicy
    runtimeClassName schedulerName securityContext serviceAccount serviceAccountName shareProcessNamespace subdomain
    terminationGracePeriodSeconds volumes
""")
_CONTAINER_FIELDS = _names("""
    args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext stdin stdinOnce
    terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir
""")


def _spec(*fields: str) -> tuple[str, ...]:
    return tuple(f"spec.{name}" for name in fields)


_WORKLOAD = _spec("selector")
_STATEFUL_SET = _spec("podManagementPolicy", "revisionHistoryLimit", "selector", "serviceName", "volumeClaimTemplates")
_JOB = _spec("completions", "parallelism", "selector", "template")
_POD = (
    *_spec(*_POD_FIELDS),
    *(f"spec.{which}.*.{name}" for which in ("containers", "initContainers") for name in _CONTAINER_FIELDS),
)

FORCE_NEW: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "DaemonSet"): _WORKLOAD,
    ("apps", "Deployment"): _WORKLOAD,
    ("apps", "StatefulSet"): _STATEFUL_SET,
    ("batch", "Job"): _JOB,
    ("", "PersistentVolume"): _spec(*_VOLUME_SOURCES),
    ("", "PersistentVolumeClaim"): _spec("accessModes", "selector", "storageClassName", "volumeName"),
    ("", "Pod"): _POD,
    ("", "ResourceQuota"): _spec("scopes"),
    ("", "Service"): _spec("clusterIP"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
}


def force_new_properties(
    kind: GroupVersionKind, obj: KubernetesObject, *, secrets_mutable: bool, config_maps_mutable: bool
) -> tuple[tuple[str, ...], ...]:
    """The paths whose change replaces the object, `*` standing for any list index. Data of Secrets and ConfigMaps replaces them unless
    the provider's settings say otherwise, so that pods that name them are rolled."""
    immutable = obj.get("immutable") is True
    paths = FORCE_NEW.get((kind.group, kind.kind), ())
    if (kind.group, kind.kind) == ("", "Secret"):
        paths = ("type", "stringData", "data") if immutable or not secrets_mutable else ("type",)
    elif (kind.group, kind.kind) == ("", "ConfigMap"):
        paths = ("binaryData", "data") if immutable or not config_maps_mutable else ()
    return tuple(tuple(path.split(".")) for path in (*IDENTITY, *paths))


def forces_replacement(path: Path, values: tuple[Any, ...], patterns: tuple[tuple[str, ...], ...]) -> bool:
    """Whether a change at `path` touches one of the patterns: at it, below it, or (when a whole subtree comes or goes) above it."""
    for pattern in patterns:
        common = min(len(path), len(pattern))
        if all(want in ("*", got) for want, got in zip(pattern[:common], path[:common], strict=True)) and (
            len(path) >= len(pattern) or any(_reaches(value, pattern[common:]) for value in values)
        ):
            return True
    return False


def _reaches(value: Any, rest: tuple[str, ...]) -> bool:
    if not rest:
        return True
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return rest[0] in fields and _reaches(fields[rest[0]], rest[1:])
    if isinstance(value, list) and rest[0] == "*":
        return any(_reaches(item, rest[1:]) for item in cast("list[Any]", value))
    return False
