"""Ordinary Pulumi programs for Kubernetes, through the engine and the sandbox's provider, on a real cluster."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import httpx
import pulumi
import pulumi_kubernetes as k8s
import pytest

from slipway.errors import OperationError

if TYPE_CHECKING:
    from conftest import Stack

PASSWORD = "correct-horse-battery"


def web(replicas: int = 1, image: str = "nginx:1.25", deadline_seconds: int = 60, **environment: str) -> None:
    """A namespace with a Deployment, its Service, and settings, as the public examples are written."""
    namespace = k8s.core.v1.Namespace("web")
    labels = {"app": "web"}
    metadata = {"namespace": namespace.metadata["name"]}
    settings = k8s.core.v1.ConfigMap("settings", metadata=metadata, data=environment)
    secret = k8s.core.v1.Secret("login", metadata=metadata, string_data={"password": pulumi.Output.secret(PASSWORD)})
    deployment = k8s.apps.v1.Deployment(
        "web",
        metadata=metadata,
        spec={
            "replicas": replicas,
            "progressDeadlineSeconds": deadline_seconds,
            "selector": {"match_labels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": image,
                            "ports": [{"container_port": 80}],
                            "env_from": [
                                {"config_map_ref": {"name": settings.metadata["name"]}},
                                {"secret_ref": {"name": secret.metadata["name"]}},
                            ],
                            "resources": {"requests": {"cpu": "0.01", "memory": "16Mi"}},
                        }
                    ]
                },
            },
        },
    )
    service = k8s.core.v1.Service(
        "web",
        metadata=metadata,
        spec={"selector": labels, "ports": [{"port": 80, "target_port": 80}]},
        # Beside a Deployment that fails it would wait ten minutes for its endpoints.
        opts=pulumi.ResourceOptions(depends_on=[deployment]),
    )
    pulumi.export("namespace", namespace.metadata["name"])
    pulumi.export("deployment", deployment.metadata["name"])
    pulumi.export("address", service.spec.cluster_ip)


def test_program_goes_up_changes_and_comes_down(stack: Stack) -> None:
    made = stack.engine(web).up()
    assert made.changes["create"] == 6  # five objects and the stack
    namespace, name = made.outputs["namespace"], made.outputs["deployment"]
    seen = json.loads(stack.kubectl("-n", namespace, "get", "deployment", name, "-o", "json"))
    assert seen["status"]["availableReplicas"] == 1
    assert made.outputs["address"] == stack.kubectl(
        "-n", namespace, "get", "service", "-o", "jsonpath={.items[0].spec.clusterIP}"
    )

    assert not stack.engine(web).up().has_changes

    changed = stack.engine(lambda: web(replicas=2, COLOUR="blue")).up()
    # The settings are replaced under a new name, which the Deployment rolls out.
    assert changed.changes == {"same": 4, "update": 1, "replace": 1}
    seen = json.loads(stack.kubectl("-n", namespace, "get", "deployment", name, "-o", "json"))
    assert seen["status"]["availableReplicas"] == 2

    stack.engine(lambda: None).destroy()
    assert namespace not in stack.kubectl("get", "namespaces", "-o", "name")


def test_deployment_that_cannot_start_says_why_and_the_next_run_mends_it(stack: Stack) -> None:
    with pytest.raises(OperationError) as failure:
        stack.engine(lambda: web(image="localhost:1/no/such:image", deadline_seconds=5)).up()
    told = "\n".join([str(failure.value), *stack.messages])
    assert "ProgressDeadlineExceeded" in told
    assert "ErrImagePull" in told or "ImagePullBackOff" in told

    mended = stack.engine(lambda: web(deadline_seconds=60)).up()

    assert mended.changes["update"] >= 1
    assert "create" not in mended.changes or mended.changes["create"] <= 1  # the Service, if it had not been reached


def test_secret_is_nowhere_in_plain_text(stack: Stack) -> None:
    stack.engine(web).up()
    stack.engine(lambda: web(replicas=2)).up()
    written = stack.everything_written()
    assert "kubernetes:core/v1:Secret" in written  # the search looks in the right place
    assert PASSWORD not in written
    assert "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5" not in written  # the same in base64, as Kubernetes keeps it


def test_drift_is_found_by_refresh_and_undone_by_up(stack: Stack) -> None:
    made = stack.engine(web).up()
    namespace, name = made.outputs["namespace"], made.outputs["deployment"]
    stack.kubectl("-n", namespace, "set", "image", f"deployment/{name}", "web=nginx:1.26", "--field-manager=kubectl")

    assert stack.engine(web).refresh().changes["update"] == 1
    assert stack.engine(web).up().changes["update"] == 1

    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert stack.kubectl("-n", namespace, "get", "deployment", name, "-o", image) == "nginx:1.25"


def test_object_deleted_behind_our_back_is_made_again_after_refresh(stack: Stack) -> None:
    made = stack.engine(web).up()
    stack.kubectl("-n", made.outputs["namespace"], "delete", "deployment", made.outputs["deployment"])

    stack.engine(web).refresh()

    assert stack.engine(web).up().changes["create"] == 1


def exposed(kind: str) -> None:
    """nginx, to be reached from outside the cluster."""
    labels = {"app": "exposed"}
    container = {"name": "nginx", "image": "nginx", "ports": [{"container_port": 80}]}
    k8s.apps.v1.Deployment(
        "exposed",
        spec={
            "selector": {"match_labels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    )
    service = k8s.core.v1.Service(
        "exposed", spec={"type": kind, "selector": labels, "ports": [{"port": 8080, "target_port": 80}]}
    )
    pulumi.export("name", service.metadata["name"])
    if kind == "LoadBalancer":
        pulumi.export("address", service.status["load_balancer"]["ingress"][0]["ip"])


@pytest.mark.skipif(
    bool(os.environ.get("SLIPWAY_SANDBOX_KUBECONFIG")), reason="an existing cluster gives addresses itself, or not"
)
def test_load_balanced_service_gets_an_address_that_answers(stack: Stack) -> None:
    made = stack.engine(lambda: exposed("LoadBalancer")).up()
    for _ in range(20):
        answer = httpx.get(f"http://{made.outputs['address']}:8080/", timeout=10)
        assert (answer.status_code, "nginx" in answer.text) == (200, True)
    assert not stack.engine(lambda: exposed("LoadBalancer")).up().has_changes

    assert stack.engine(lambda: exposed("ClusterIP")).up().changes["update"] == 1
    status = "jsonpath={.status.loadBalancer}"
    seen = ["get", "service", made.outputs["name"], "-o", status]
    deadline = time.monotonic() + 10
    while (left := stack.kubectl(*seen)) != "{}" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == "{}"


def named(name: str, data: dict[str, str]) -> None:
    k8s.core.v1.ConfigMap(name, metadata={"name": "shared", "namespace": "default"}, data=data)


def test_refuses_an_object_that_somebody_else_made(stack: Stack) -> None:
    stack.kubectl("create", "configmap", "shared", "--from-literal=owner=them")
    try:
        with pytest.raises(OperationError, match="already exists"):
            stack.engine(lambda: named("mine", {"owner": "us"})).up()
        assert stack.kubectl("get", "configmap", "shared", "-o", "jsonpath={.data.owner}") == "them"
    finally:
        stack.kubectl("delete", "configmap", "shared")


def test_object_with_a_fixed_name_is_deleted_before_it_is_replaced(stack: Stack) -> None:
    stack.engine(lambda: named("mine", {"a": "1"})).up()

    assert stack.engine(lambda: named("mine", {"a": "2"})).up().changes["replace"] == 1

    assert stack.kubectl("get", "configmap", "shared", "-o", "jsonpath={.data.a}") == "2"


def custom(kind: str) -> None:
    group = "example.slipway.dev"
    open_schema: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    k8s.apiextensions.v1.CustomResourceDefinition(
        "definition",
        metadata={"name": f"{kind.lower()}s.{group}"},
        spec={
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": f"{kind.lower()}s"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": open_schema}}],
        },
    )
    # No depends_on: the object is tried again until its kind is there.
    k8s.apiextensions.CustomResource("one", api_version=f"{group}/v1", kind=kind, spec={"empty": {}, "size": 3})


def test_custom_resource_is_made_beside_its_definition(stack: Stack) -> None:
    assert stack.engine(lambda: custom("Boat")).up().changes["create"] == 3
    assert not stack.engine(lambda: custom("Boat")).up().has_changes
