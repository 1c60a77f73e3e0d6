"""What new pods get: pure, from an AdmissionReview to its answer.

What AWS's SDKs need to find EKS Pod Identity, as EKS's webhook does it, with the sandbox's endpoint; and readiness gates, as the AWS Load
Balancer Controller's. What a pod already has is left alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from slipway.sandbox.ports import AWS_PORT, HOST_ADDRESS, POD_IDENTITY_ADDRESS

AUDIENCE = "pods.eks.amazonaws.com"
CREDENTIALS_PATH = "/v1/credentials"
VOLUME = TOKEN_FILE = "eks-pod-identity-token"  # noqa: S105 - names, not secrets
FOLDER = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
TOKEN_SECONDS = 86400
SKIP_ANNOTATION = "eks.amazonaws.com/skip-containers"
DEFAULT_ACCOUNT = "default"

RegionOf = Callable[[str, str], str | None]
"""From namespace and service account to the region of its association; None: it has none."""

GatesOf = Callable[[str, Mapping[str, str]], Sequence[str]]
"""From namespace and labels of a pod to the conditions that it is to wait for."""


def review_pod(review: Mapping[str, Any], region_of: RegionOf) -> dict[str, Any]:
    """Admit the pod, with patches if its service account has an association."""
    request: Mapping[str, Any] = review["request"]
    pod: Mapping[str, Any] = request["object"]
    # The API server fills in the default service account before webhooks are asked.
    account = pod["spec"].get("serviceAccountName") or DEFAULT_ACCOUNT
    region = region_of(str(request["namespace"]), str(account))
    return _admitted(request, list(identity_patches(pod, region)) if region else [])


def review_gates(review: Mapping[str, Any], gates_of: GatesOf) -> dict[str, Any]:
    """Admit the pod, with the readiness gates that it lacks."""
    request: Mapping[str, Any] = review["request"]
    pod: Mapping[str, Any] = request["object"]
    gates = gates_of(str(request["namespace"]), pod["metadata"].get("labels") or {})
    return _admitted(request, list(gate_patches(pod, gates)))


def gate_patches(pod: Mapping[str, Any], gates: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The JSON patches (RFC 6902) of one pod."""
    present: list[dict[str, str]] = pod["spec"].get("readinessGates") or []
    missing = [gate for gate in gates if gate not in {each["conditionType"] for each in present}]
    return _appended("/spec/readinessGates", present, [{"conditionType": gate} for gate in missing])


def _admitted(request: Mapping[str, Any], patches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"uid": request["uid"], "allowed": True}
    if patches:
        answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patches).encode()).decode()}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}


def identity_patches(pod: Mapping[str, Any], region: str) -> Iterator[dict[str, Any]]:
    """The JSON patches (RFC 6902) of one pod."""
    spec: Mapping[str, Any] = pod["spec"]
    annotations: Mapping[str, str] = pod["metadata"].get("annotations") or {}
    skipped = {name.strip() for name in annotations.get(SKIP_ANNOTATION, "").split(",")}
    if VOLUME not in _names(spec, "volumes"):
        yield from _appended("/spec/volumes", spec.get("volumes"), [_volume()])
    mount = {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}
    for kind in ("initContainers", "containers"):
        containers: list[dict[str, Any]] = spec.get(kind) or []
        for index, container in enumerate(containers):
            if container["name"] in skipped:
                continue
            at = f"/spec/{kind}/{index}"
            given = _names(container, "env")
            wanted = [{"name": name, "value": value} for name, value in variables(region).items() if name not in given]
            yield from _appended(f"{at}/env", container.get("env"), wanted)
            if VOLUME not in _names(container, "volumeMounts"):
                yield from _appended(f"{at}/volumeMounts", container.get("volumeMounts"), [mount])


def variables(region: str) -> dict[str, str]:
    """What the SDKs read."""
    return {
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{POD_IDENTITY_ADDRESS}{CREDENTIALS_PATH}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{FOLDER}/{TOKEN_FILE}",
        # The one that AWS has no need of.
        "AWS_ENDPOINT_URL": f"http://{HOST_ADDRESS}:{AWS_PORT}",
    }


def _names(owner: Mapping[str, Any], kind: str) -> set[str]:
    items: list[dict[str, Any]] = owner.get(kind) or []
    return {str(item["name"]) for item in items}


def _volume() -> dict[str, Any]:
    token = {"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": TOKEN_FILE}
    return {"name": VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}}


def _appended(path: str, present: Sequence[Any] | None, items: Sequence[Any]) -> Iterator[dict[str, Any]]:
    if not present and items:
        yield {"op": "add", "path": path, "value": list(items)}
        return
    yield from ({"op": "add", "path": f"{path}/-", "value": item} for item in items)
