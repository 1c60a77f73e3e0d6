"""What the admission webhook makes of a pod."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from slipway.sandbox.aws.eks.pod_admission import (
    FOLDER,
    VOLUME,
    gate_patches,
    identity_patches,
    review_gates,
    review_pod,
    variables,
)

REGION = "eu-west-1"
POD: dict[str, Any] = {
    "metadata": {"annotations": {"eks.amazonaws.com/skip-containers": "proxy, other"}},
    "spec": {
        "serviceAccountName": "orders",
        "initContainers": [{"name": "init"}],
        "containers": [
            {"name": "orders", "env": [{"name": "AWS_REGION", "value": "mine"}], "volumeMounts": [{"name": "tmp"}]},
            {"name": "proxy"},
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    },
}


def patched(pod: dict[str, Any], patches: list[dict[str, Any]]) -> dict[str, Any]:
    """RFC 6902's `add`, which is all that there is."""
    pod = copy.deepcopy(pod)
    for patch in patches:
        assert patch["op"] == "add"
        *path, last = patch["path"].strip("/").split("/")
        at: Any = pod
        for step in path:
            at = at[int(step) if step.isdigit() else step]
        if last == "-":
            at.append(patch["value"])
        else:
            assert last not in at
            at[last] = patch["value"]
    return pod


def test_containers_get_variables_and_token_beside_what_they_have() -> None:
    spec = patched(POD, list(identity_patches(POD, REGION)))["spec"]

    init, orders, proxy = *spec["initContainers"], *spec["containers"]
    for container in (init, orders):
        env = {each["name"]: each["value"] for each in container["env"]}
        assert env == variables(REGION) | ({"AWS_REGION": "mine"} if container is orders else {})
        assert {"name": VOLUME, "mountPath": FOLDER, "readOnly": True} in container["volumeMounts"]
    assert env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://169.254.170.23/v1/credentials"
    assert env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"].startswith(f"{FOLDER}/")
    assert proxy == {"name": "proxy"}
    token = {"audience": "pods.eks.amazonaws.com", "expirationSeconds": 86400, "path": "eks-pod-identity-token"}
    assert spec["volumes"][1:] == [{"name": VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}}]


def test_pod_that_has_it_all_is_left_alone() -> None:
    once = patched(POD, list(identity_patches(POD, REGION)))

    assert list(identity_patches(once, REGION)) == []


@pytest.mark.parametrize(("account", "is_patched"), [("orders", True), ("billing", False), ("", False)])
def test_only_pods_of_an_account_with_an_association_are_changed(account: str, is_patched: bool) -> None:
    pod = {"metadata": {}, "spec": {"serviceAccountName": account, "containers": [{"name": "a"}]}}

    def region_of(namespace: str, service_account: str) -> str | None:
        return REGION if (namespace, service_account) == ("shop", "orders") else None

    answer = review_pod({"request": {"uid": "1", "namespace": "shop", "object": pod}}, region_of)["response"]

    assert answer["allowed"]
    assert answer["uid"] == "1"
    patches: list[dict[str, Any]] = json.loads(base64.b64decode(answer["patch"])) if "patch" in answer else []
    assert bool(patches) == is_patched
    assert bool(patched(pod, patches)["spec"].get("volumes")) == is_patched


@pytest.mark.parametrize(
    ("present", "gates", "expected"),
    [
        (None, ["a.example/blue", "a.example/green"], ["a.example/blue", "a.example/green"]),
        (["mine.example/x"], ["a.example/blue"], ["mine.example/x", "a.example/blue"]),
        (["a.example/blue"], ["a.example/blue"], ["a.example/blue"]),
        (["a.example/other"], [], ["a.example/other"]),
    ],
)
def test_readiness_gates_are_added_beside_those_that_the_pod_has(
    present: list[str] | None, gates: list[str], expected: list[str]
) -> None:
    spec = {} if present is None else {"readinessGates": [{"conditionType": gate} for gate in present]}

    after = patched({"spec": spec}, list(gate_patches({"spec": spec}, gates)))["spec"]["readinessGates"]

    assert [gate["conditionType"] for gate in after] == expected


def test_gates_follow_from_namespace_and_labels_of_the_pod() -> None:
    def gates_of(namespace: str, labels: Mapping[str, str]) -> list[str]:
        return ["a.example/blue"] if (namespace, labels.get("app")) == ("shop", "orders") else []

    def patches(namespace: str, metadata: dict[str, Any]) -> bool:
        pod = {"metadata": metadata, "spec": {"containers": []}}
        answer = review_gates({"request": {"uid": "1", "namespace": namespace, "object": pod}}, gates_of)["response"]
        assert (answer["allowed"], answer["uid"]) == (True, "1")
        return "patch" in answer

    assert patches("shop", {"labels": {"app": "orders"}})
    assert not patches("elsewhere", {"labels": {"app": "orders"}})
    assert not patches("shop", {})
