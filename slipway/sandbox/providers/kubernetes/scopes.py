"""Which kinds live in a namespace: fixed for Kubernetes' own kinds, in every version they are served in.

As pulumi-kubernetes does, these are not looked up: a preview would have to ask the cluster, and to get a token, for what never changes.
Source: `kubectl api-resources`, Kubernetes 1.34.
"""

from __future__ import annotations

from slipway.sandbox.providers.kubernetes.objects import GroupVersionKind

_CLUSTER = {
    "": {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
    "admissionregistration.k8s.io": {
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    },
    "apiextensions.k8s.io": {"CustomResourceDefinition"},
    "apiregistration.k8s.io": {"APIService"},
    "certificates.k8s.io": {"CertificateSigningRequest", "ClusterTrustBundle"},
    "flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
    "networking.k8s.io": {"IngressClass", "IPAddress", "ServiceCIDR"},
    "node.k8s.io": {"RuntimeClass"},
    "rbac.authorization.k8s.io": {"ClusterRole", "ClusterRoleBinding"},
    "resource.k8s.io": {"DeviceClass", "ResourceSlice"},
    "scheduling.k8s.io": {"PriorityClass"},
    "storage.k8s.io": {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
}
_NAMESPACED = {
    "": {
        "Binding",
        "ConfigMap",
        "Endpoints",
        "Event",
        "LimitRange",
        "PersistentVolumeClaim",
        "Pod",
        "PodTemplate",
        "ReplicationController",
        "ResourceQuota",
        "Secret",
        "Service",
        "ServiceAccount",
    },
    "apps": {"ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"},
    "autoscaling": {"HorizontalPodAutoscaler"},
    "batch": {"CronJob", "Job"},
    "coordination.k8s.io": {"Lease"},
    "discovery.k8s.io": {"EndpointSlice"},
    "events.k8s.io": {"Event"},
    "networking.k8s.io": {"Ingress", "NetworkPolicy"},
    "policy": {"PodDisruptionBudget"},
    "rbac.authorization.k8s.io": {"Role", "RoleBinding"},
    "resource.k8s.io": {"ResourceClaim", "ResourceClaimTemplate"},
    "storage.k8s.io": {"CSIStorageCapacity"},
}


def known_scope(kind: GroupVersionKind) -> bool | None:
    """True for a kind that lives in a namespace, False for one of the whole cluster, None where only the cluster can tell."""
    if kind.kind in _CLUSTER.get(kind.group, ()):
        return False
    return True if kind.kind in _NAMESPACED.get(kind.group, ()) else None
