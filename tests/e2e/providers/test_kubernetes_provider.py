"""The Kubernetes provider against a real API server: every object is made, left alone, changed, read and removed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from slipway.engine.provider import CallContext, CreateResult, DiffChanges, ProviderError
from slipway.engine.values import PropertyMap, Secret, unwrap_secrets
from slipway.errors import NotFoundError
from slipway.sandbox import lifecycle
from slipway.sandbox.kubernetes import ClusterManager
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.providers.kubernetes.client import ClusterClient
from slipway.sandbox.providers.kubernetes.provider import KubernetesProvider

OWN_CLUSTER = "e2e-provider"
IMAGE = "docker.io/library/busybox:1.36"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
KUBECTL_TIMEOUT_SECONDS = 60

Kubectl = Callable[..., str]


def is_usable(manager: ClusterManager, name: str) -> bool:
    try:
        found = manager.info(name)
    except NotFoundError:  # its making was interrupted
        return False
    argv = ["kubectl", "--kubeconfig", str(found.admin_kubeconfig), "--request-timeout=5s", "get", "--raw", "/readyz"]
    done = subprocess.run(argv, capture_output=True, timeout=KUBECTL_TIMEOUT_SECONDS, check=False)
    return bool(found.nodes) and done.returncode == 0


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[Path]:
    """Of a cluster made for tests; made here, and removed again, if there is none."""
    paths = SandboxPaths.from_environment()
    lifecycle.up(paths, print)
    manager = ClusterManager(paths, ProcessTable(paths))
    there = [name for name in manager.names() if name.startswith("e2e") and is_usable(manager, name)]
    if there:
        yield manager.info(there[0]).admin_kubeconfig
        return
    manager.prepare(print)
    url = f"http://127.0.0.1:4566/_slipway/token-review/{OWN_CLUSTER}"
    try:
        made = manager.create(OWN_CLUSTER, token_webhook_url=url)
        manager.add_node_group(OWN_CLUSTER, "workers", 1)
        yield made.admin_kubeconfig
    finally:
        manager.delete(OWN_CLUSTER)


@pytest.fixture(scope="module")
def kubectl(kubeconfig: Path) -> Kubectl:
    def run(*words: str) -> str:
        argv = ["kubectl", "--kubeconfig", str(kubeconfig), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=KUBECTL_TIMEOUT_SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def configured(kubeconfig: Path, **settings: Any) -> KubernetesProvider:
    provider = KubernetesProvider()
    context = CallContext(urn="urn:pulumi:e2e::p::pulumi:providers:kubernetes::k", type="", name="k")
    provider.configure(context, {"kubeconfig": kubeconfig.read_text(), **settings})
    return provider


@pytest.fixture(scope="module")
def provider(kubeconfig: Path) -> Iterator[KubernetesProvider]:
    made = configured(kubeconfig)
    yield made
    made.close()


class Resource:
    """One resource as the engine drives it: checked inputs, kept id and outputs."""

    def __init__(self, provider: KubernetesProvider, token: str, name: str, **context: Any) -> None:
        self.provider = provider
        self.context = CallContext(
            urn=f"urn:pulumi:e2e::p::{token}::{name}", type=token, name=name, random_seed=uuid4().bytes, **context
        )
        self.id = ""
        self.inputs: PropertyMap = {}
        self.outputs: PropertyMap = {}

    def checked(self, program: PropertyMap, olds: PropertyMap | None = None) -> PropertyMap:
        answer = self.provider.check(self.context, self.inputs if olds is None else olds, program)
        assert not answer.failures
        return answer.inputs

    def create(self, program: PropertyMap) -> CreateResult:
        self.inputs = self.checked(program)
        made = self.provider.create(self.context, self.inputs)
        self.id, self.outputs = made.id, made.outputs
        return made

    def changes(self, program: PropertyMap) -> DiffChanges:
        news = self.checked(program)
        found = self.provider.diff(self.context, self.id, self.inputs, self.outputs, news)
        assert not found.replaces
        return found.changes

    def update(self, program: PropertyMap) -> PropertyMap:
        news = self.checked(program)
        planned = self.provider.update(replace(self.context, preview=True), self.id, self.inputs, self.outputs, news)
        assert planned, "a preview answers what it knows"
        self.outputs = self.provider.update(self.context, self.id, self.inputs, self.outputs, news)
        self.inputs = news
        return self.outputs

    def is_there(self) -> bool:
        return bool(self.provider.read(self.context, self.id, self.inputs, self.outputs).id)

    def delete(self) -> None:
        self.provider.delete(self.context, self.id, self.inputs, self.outputs)


def plain(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", unwrap_secrets(value))


def lead_a_whole_life(resource: Resource, program: PropertyMap, changed: PropertyMap) -> PropertyMap:
    """Create, find no difference, update, read, delete. Answers the outputs after the update."""
    assert resource.create(program).id
    assert resource.changes(program) is DiffChanges.NONE
    assert resource.changes(changed) is DiffChanges.SOME
    outputs = resource.update(changed)
    assert resource.changes(changed) is DiffChanges.NONE
    found = resource.provider.read(resource.context, resource.id, resource.inputs, outputs)
    assert found.id == resource.id
    resource.outputs = found.outputs
    assert resource.changes(changed) is DiffChanges.NONE, "a refresh makes no difference"
    resource.delete()
    assert not resource.is_there()
    resource.delete()  # gone already: no error
    return outputs


@pytest.fixture(scope="module")
def namespace(provider: KubernetesProvider) -> Iterator[str]:
    resource = Resource(provider, "kubernetes:core/v1:Namespace", "e2e-provider")
    resource.create({})
    yield resource.id
    resource.delete()


def deployment(namespace: str, *, replicas: int = 1, **variables: str) -> PropertyMap:
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sleep", "3600"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
    }
    labels = {"app": "sleeper"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    return {
        "metadata": {"namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pods},
    }


def test_namespace_leads_a_whole_life(provider: KubernetesProvider) -> None:
    resource = Resource(provider, "kubernetes:core/v1:Namespace", "e2e-life")
    outputs = lead_a_whole_life(resource, {}, {"metadata": {"labels": {"tier": "web"}}})
    assert plain(outputs["metadata"])["labels"]["tier"] == "web"
    assert plain(outputs["status"])["phase"] == "Active"


def test_secret_keeps_its_data_secret_in_the_outputs(provider: KubernetesProvider, namespace: str) -> None:
    resource = Resource(provider, "kubernetes:core/v1:Secret", "password")
    program: PropertyMap = {"metadata": {"namespace": namespace}, "stringData": Secret({"password": "kept-private"})}
    resource.create(program)
    assert resource.changes(program) is DiffChanges.NONE
    assert isinstance(resource.outputs["data"], Secret)
    assert plain(resource.outputs["data"]) == {"password": "a2VwdC1wcml2YXRl"}
    assert "kept-private" not in repr(resource.outputs)
    assert "a2VwdC1wcml2YXRl" not in repr(resource.outputs)
    labelled: PropertyMap = {**program, "metadata": {"namespace": namespace, "labels": {"tier": "web"}}}
    assert resource.changes(labelled) is DiffChanges.SOME
    assert isinstance(resource.update(labelled)["data"], Secret)
    assert resource.changes(labelled) is DiffChanges.NONE
    resource.delete()
    assert not resource.is_there()


def test_secret_is_replaced_when_its_data_changes(provider: KubernetesProvider, namespace: str) -> None:
    resource = Resource(provider, "kubernetes:core/v1:Secret", "rotated")
    resource.create({"metadata": {"namespace": namespace}, "stringData": {"password": "first"}})
    news = resource.checked({"metadata": {"namespace": namespace}, "stringData": {"password": "second"}})
    found = provider.diff(resource.context, resource.id, resource.inputs, resource.outputs, news)
    assert found.replaces
    assert not found.delete_before_replace  # its name is generated, so that the new one can stand beside it
    resource.delete()


def test_service_account_leads_a_whole_life(provider: KubernetesProvider, namespace: str) -> None:
    resource = Resource(provider, "kubernetes:core/v1:ServiceAccount", "robot")
    changed = {"namespace": namespace, "annotations": {"example.com/role": "reader"}}
    outputs = lead_a_whole_life(resource, {"metadata": {"namespace": namespace}}, {"metadata": changed})
    assert plain(outputs["metadata"])["annotations"]["example.com/role"] == "reader"


def test_service_without_pods_is_ready_when_it_skips_the_wait(provider: KubernetesProvider, namespace: str) -> None:
    resource = Resource(provider, "kubernetes:core/v1:Service", "front")

    def service(port: float) -> PropertyMap:
        return {
            "metadata": {"namespace": namespace, "annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": {"selector": {"app": "nobody"}, "ports": [{"port": port, "targetPort": 8080.0}]},
        }

    outputs = lead_a_whole_life(resource, service(80.0), service(81.0))
    spec = plain(outputs["spec"])
    assert spec["ports"][0]["port"] == 81
    assert spec["clusterIP"]


def test_deployment_is_awaited_and_leads_a_whole_life(provider: KubernetesProvider, namespace: str) -> None:
    resource = Resource(provider, DEPLOYMENT, "sleeper")
    outputs = lead_a_whole_life(resource, deployment(namespace, MODE="a"), deployment(namespace, MODE="b", replicas=2))
    assert plain(outputs["status"])["availableReplicas"] == 2


def test_autoscaler_leads_a_whole_life(provider: KubernetesProvider, namespace: str) -> None:
    resource = Resource(provider, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "scaler")

    def autoscaler(most: int) -> PropertyMap:
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
        return {
            "metadata": {"namespace": namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sleeper"},
                "minReplicas": 1,
                "maxReplicas": most,
                "metrics": [{"type": "Resource", "resource": cpu}],
            },
        }

    outputs = lead_a_whole_life(resource, autoscaler(3), autoscaler(5))
    assert plain(outputs["spec"])["maxReplicas"] == 5


def test_disruption_budget_leads_a_whole_life(provider: KubernetesProvider, namespace: str) -> None:
    resource = Resource(provider, "kubernetes:policy/v1:PodDisruptionBudget", "budget")

    def budget(least: int | str) -> PropertyMap:
        selector = {"matchLabels": {"app": "sleeper"}}
        return {"metadata": {"namespace": namespace}, "spec": {"minAvailable": least, "selector": selector}}

    outputs = lead_a_whole_life(resource, budget(1), budget("50%"))
    assert plain(outputs["spec"])["minAvailable"] == "50%"


def test_custom_resource_of_a_new_definition_leads_a_whole_life(provider: KubernetesProvider, namespace: str) -> None:
    group = f"e2e-{uuid4().hex[:6]}.example.com"
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "x_kubernetes_preserve_unknown_fields": True},
        },
    }
    definition = Resource(provider, "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", "gadgets")
    definition.create(
        {
            "metadata": {"name": f"gadgets.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        }
    )
    try:
        resource = Resource(provider, f"kubernetes:{group}/v1:Gadget", "gadget")

        def gadget(size: int) -> PropertyMap:
            return {
                "apiVersion": f"{group}/v1",
                "kind": "Gadget",
                "metadata": {"namespace": namespace},
                "spec": {"size": size, "parts": ["a", "b"]},
            }

        outputs = lead_a_whole_life(resource, gadget(1), gadget(2))
        assert plain(outputs["spec"]) == {"size": 2, "parts": ["a", "b"]}
    finally:
        definition.delete()
    assert not definition.is_there()
    assert not resource.is_there(), "the kind is gone, and took its objects along"


def test_update_leaves_ignored_replicas_to_the_one_who_scaled(
    provider: KubernetesProvider, kubectl: Kubectl, namespace: str
) -> None:
    resource = Resource(provider, DEPLOYMENT, "scaled", ignore_changes=("spec.replicas",))
    resource.create(deployment(namespace, MODE="a"))
    name = resource.id.partition("/")[2]
    kubectl("--namespace", namespace, "scale", f"deployment/{name}", "--replicas=2")
    assert resource.changes(deployment(namespace, MODE="a")) is DiffChanges.NONE
    for mode in ("b", "c"):  # the second finds a state in which the field is not ours any more
        outputs = resource.update(deployment(namespace, MODE=mode))
        assert plain(outputs["spec"])["replicas"] == 2
        assert resource.changes(deployment(namespace, MODE=mode)) is DiffChanges.NONE
    found = provider.read(resource.context, resource.id, resource.inputs, resource.outputs)
    resource.inputs, resource.outputs = found.inputs or resource.inputs, found.outputs
    assert resource.changes(deployment(namespace, MODE="c")) is DiffChanges.NONE, "nor after a refresh"
    assert kubectl("-n", namespace, "get", f"deployment/{name}", "-o", "jsonpath={.spec.replicas}") == "2"
    resource.delete()


def test_update_leaves_ignored_replicas_alone_when_they_are_scaled_meanwhile(
    provider: KubernetesProvider, kubectl: Kubectl, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = Resource(provider, DEPLOYMENT, "raced", ignore_changes=("spec.replicas",))
    resource.create(deployment(namespace, MODE="a"))
    name = resource.id.partition("/")[2]
    read, scaled = ClusterClient.get, list[str]()

    def read_then_scale(*arguments: Any) -> Any:
        found = read(*arguments)
        if not scaled:
            scaled.append(kubectl("-n", namespace, "scale", f"deployment/{name}", "--replicas=2"))
        return found

    news = resource.checked(deployment(namespace, MODE="b"))
    monkeypatch.setattr(ClusterClient, "get", read_then_scale)
    outputs = provider.update(resource.context, resource.id, resource.inputs, resource.outputs, news)
    assert scaled
    assert plain(outputs["spec"])["replicas"] == 2
    resource.delete()


def test_refuses_to_take_a_field_from_another_manager_when_it_is_not_ignored(
    provider: KubernetesProvider, kubectl: Kubectl, namespace: str
) -> None:
    resource = Resource(provider, "kubernetes:core/v1:ConfigMap", "contested")
    program: PropertyMap = {"metadata": {"namespace": namespace, "labels": {"tier": "web"}}, "data": {"a": "1"}}
    resource.create(program)
    name = resource.id.partition("/")[2]
    kubectl("-n", namespace, "label", f"configmap/{name}", "tier=db", "--overwrite", "--field-manager=somebody")
    changed: PropertyMap = {"metadata": {"namespace": namespace, "labels": {"tier": "api"}}, "data": {"a": "1"}}
    with pytest.raises(ProviderError, match="somebody"):
        provider.update(resource.context, resource.id, resource.inputs, resource.outputs, resource.checked(changed))
    resource.delete()


@pytest.mark.parametrize("token", ["kubernetes:core/v1:ServiceAccount", DEPLOYMENT])
def test_repeated_create_finds_the_first_one_when_its_answer_was_lost(
    provider: KubernetesProvider, kubeconfig: Path, kubectl: Kubectl, namespace: str, token: str
) -> None:
    assert provider.resumes_creates
    program = deployment(namespace) if token == DEPLOYMENT else {"metadata": {"namespace": namespace}}
    first = Resource(provider, token, "interrupted")
    first.create(program)
    second = Resource(configured(kubeconfig), token, "interrupted")  # another process, another random seed
    second.inputs = first.inputs
    assert second.create(program).id == first.id
    kind = token.rpartition(":")[2].lower()
    listed = kubectl("-n", namespace, "get", kind, "-o", "name").split()
    assert len([line for line in listed if "interrupted" in line]) == 1
    assert plain(second.outputs["metadata"])["uid"] == plain(first.outputs["metadata"])["uid"]
    second.provider.close()
    first.delete()


def test_refuses_an_object_of_somebody_else(provider: KubernetesProvider, kubectl: Kubectl, namespace: str) -> None:
    kubectl("-n", namespace, "create", "serviceaccount", "theirs")
    resource = Resource(provider, "kubernetes:core/v1:ServiceAccount", "theirs")
    with pytest.raises(ProviderError, match="already exists"):
        resource.create({"metadata": {"namespace": namespace, "name": "theirs"}})


def test_does_not_promise_to_resume_when_applying_from_the_client(kubeconfig: Path) -> None:
    provider = configured(kubeconfig, enableServerSideApply=False)
    assert not provider.resumes_creates
    provider.close()
