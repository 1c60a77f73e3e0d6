"""What a change of inputs means: nothing, an update, or a replacement and in which order. No cluster is reached."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from slipway.engine.provider import CallContext, CheckResult, DiffChanges, DiffKind, DiffResult, ProviderError
from slipway.engine.values import UNKNOWN, Secret, contains_secret, unwrap_secrets
from slipway.sandbox.providers.kubernetes.cluster import Cluster
from slipway.sandbox.providers.kubernetes.discovery import ApiResource
from slipway.sandbox.providers.kubernetes.normal_form import pruned
from slipway.sandbox.providers.kubernetes.objects import checkpoint, kind_of, to_object
from slipway.sandbox.providers.kubernetes.provider import KubernetesProvider

DEPLOYMENT = "kubernetes:apps/v1:Deployment"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> KubernetesProvider:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
    return KubernetesProvider()


def context(type_token: str, **more: Any) -> CallContext:
    return CallContext(urn=f"urn:pulumi:d::p::{type_token}::web", type=type_token, name="web", **more)


def check(provider: KubernetesProvider, type_token: str, olds: Any, news: Any, seed: bytes = b"s") -> CheckResult:
    return provider.check(context(type_token, random_seed=seed), olds, news)


def plan(
    provider: KubernetesProvider, type_token: str, old: Any, new: Any, *, live: Any = None, ignore: tuple[str, ...] = ()
) -> DiffResult:
    inputs = check(provider, type_token, {}, old).inputs
    fresh = check(provider, type_token, inputs, new).inputs
    made = to_object(inputs)
    made["metadata"]["uid"] = "1"
    made.update(live or {})
    outputs = checkpoint(to_object(inputs), made, inputs, initial_api_version="v1", field_manager="m")
    return provider.diff(context(type_token, ignore_changes=ignore), "id", inputs, outputs, fresh)


def deployment(**container: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "a:1", "resources": {"requests": {"cpu": "0.5"}}, **container}]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"hostNetwork": False, "containers": containers}}
    return {"spec": {"replicas": 2.0, "selector": {"matchLabels": {"a": "b"}}, "template": template}}


def test_nothing_changes_when_the_server_wrote_the_same_in_its_own_form(provider: KubernetesProvider) -> None:
    spec = copy.deepcopy(deployment()["spec"])
    del spec["template"]["spec"]["hostNetwork"]  # the server drops `false`
    spec["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "500m"
    spec["template"]["spec"]["dnsPolicy"] = "ClusterFirst"
    spec["replicas"] = 2
    assert plan(provider, DEPLOYMENT, deployment(), deployment(), live={"spec": spec}).changes is DiffChanges.NONE


def test_false_that_was_not_there_before_is_a_change(provider: KubernetesProvider) -> None:
    new = deployment()
    new["spec"]["template"]["spec"]["automountServiceAccountToken"] = False
    found = plan(provider, DEPLOYMENT, deployment(), new)
    assert found.detailed is not None
    assert list(found.detailed) == ["spec.template.spec.automountServiceAccountToken"]


def test_new_image_updates_in_place(provider: KubernetesProvider) -> None:
    found = plan(provider, DEPLOYMENT, deployment(), deployment(image="a:2"))
    assert found.replaces == ()
    assert found.detailed is not None
    assert {path: item.kind for path, item in found.detailed.items()} == {
        "spec.template.spec.containers[0].image": DiffKind.UPDATE
    }


def test_unknown_value_is_a_change(provider: KubernetesProvider) -> None:
    assert plan(provider, DEPLOYMENT, deployment(), deployment(image=UNKNOWN)).changes is DiffChanges.SOME


def test_ignored_path_is_no_change(provider: KubernetesProvider) -> None:
    drifted = copy.deepcopy(deployment()["spec"]) | {"replicas": 5}
    assert plan(provider, DEPLOYMENT, deployment(), deployment(), live={"spec": drifted}).changes is DiffChanges.SOME
    found = plan(provider, DEPLOYMENT, deployment(), deployment(), live={"spec": drifted}, ignore=("spec.replicas",))
    assert found.changes is DiffChanges.NONE


def test_selector_replaces_and_an_autonamed_object_is_created_first(provider: KubernetesProvider) -> None:
    new = deployment()
    new["spec"]["selector"]["matchLabels"]["a"] = "c"
    found = plan(provider, DEPLOYMENT, deployment(), new)
    assert found.replaces == ("spec",)
    assert not found.delete_before_replace


@pytest.mark.parametrize(
    ("type_token", "old", "new", "replaces"),
    [
        ("kubernetes:core/v1:ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}, ("data",)),
        ("kubernetes:core/v1:ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "1", "b": "2"}}, ("data",)),
        ("kubernetes:core/v1:Secret", {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}, ("data",)),
        ("kubernetes:core/v1:Service", {"spec": {"clusterIP": "None"}}, {"spec": {}}, ("spec",)),
        ("kubernetes:core/v1:Service", {"spec": {"type": "ClusterIP"}}, {"spec": {"type": "NodePort"}}, ()),
        ("kubernetes:batch/v1:Job", {"spec": {"template": {"a": 1.0}}}, {"spec": {"template": {"a": 2.0}}}, ("spec",)),
        ("kubernetes:core/v1:Pod", {"spec": {"containers": [{"image": "a"}]}}, {"spec": {"containers": [{"image": "b"}]}}, ("spec",)),
        ("kubernetes:storage.k8s.io/v1:StorageClass", {"provisioner": "a"}, {"provisioner": "b"}, ("provisioner",)),
    ],
)  # fmt: skip
def test_replacement_table(
    provider: KubernetesProvider, type_token: str, old: Any, new: Any, replaces: tuple[str, ...]
) -> None:
    named = {"metadata": {"name": "fixed"}}
    found = plan(provider, type_token, old | copy.deepcopy(named), new | copy.deepcopy(named))
    assert found.changes is DiffChanges.SOME
    assert found.replaces == replaces
    assert found.delete_before_replace is bool(replaces)  # the name is fixed, so both cannot be there at once


def test_name_is_generated_once_and_kept(provider: KubernetesProvider) -> None:
    first = check(provider, DEPLOYMENT, {}, deployment()).inputs
    assert first["metadata"]["name"].startswith("web-")
    assert len(first["metadata"]["name"]) == len("web-") + 8
    assert first["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    again = check(provider, DEPLOYMENT, first, deployment(), seed=b"other").inputs
    assert again["metadata"]["name"] == first["metadata"]["name"]
    replacement = check(provider, DEPLOYMENT, {}, deployment(), seed=b"other").inputs
    assert replacement["metadata"]["name"] != first["metadata"]["name"]


def test_namespace_is_filled_in_only_where_there_are_namespaces(provider: KubernetesProvider) -> None:
    assert check(provider, DEPLOYMENT, {}, deployment()).inputs["metadata"]["namespace"] == "default"
    assert "namespace" not in check(provider, "kubernetes:core/v1:Namespace", {}, {}).inputs["metadata"]


def test_secret_data_is_secret_even_if_the_program_did_not_say_so(provider: KubernetesProvider) -> None:
    inputs = check(provider, "kubernetes:core/v1:Secret", {}, {"stringData": {"password": "hunter2"}}).inputs
    assert isinstance(inputs["data"], Secret)
    assert unwrap_secrets(inputs["data"]) == {"password": "aHVudGVyMg=="}
    live = to_object(inputs) | {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x"}}}
    outputs = checkpoint(to_object(inputs), live, {}, initial_api_version="v1", field_manager="m")
    assert isinstance(outputs["data"], Secret)
    assert isinstance(outputs["__inputs"]["data"], Secret)
    assert contains_secret(outputs["metadata"]["annotations"])


@pytest.mark.parametrize(
    "type_token", ["kubernetes:helm.sh/v3:Release", "kubernetes:helm.sh/v4:Chart", "kubernetes:kustomize/v2:Directory"]
)
def test_refuses_types_it_does_not_have(provider: KubernetesProvider, type_token: str) -> None:
    with pytest.raises(ProviderError, match=type_token):
        check(provider, type_token, {}, {})


def test_refuses_generated_names_by_the_server(provider: KubernetesProvider) -> None:
    result = check(provider, DEPLOYMENT, {}, {"metadata": {"generateName": "a-"}})
    assert [failure.property for failure in result.failures] == ["metadata.generateName"]


def test_what_the_server_leaves_out_because_it_is_empty_is_no_drift() -> None:
    shape = {"data": {}, "items": [], "kept": {"a": "1"}, "gone": {"b": "2"}}
    assert pruned({"kept": {"a": "1", "added": "2"}}, shape) == {"data": {}, "items": [], "kept": {"a": "1"}}


BINDING = "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"
CUSTOM = {"apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding"}


@pytest.mark.parametrize("type_token", [DEPLOYMENT, "kubernetes:core/v1:Namespace"])
def test_cluster_is_not_asked_where_kinds_of_kubernetes_live(
    provider: KubernetesProvider, type_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Cluster, "resource", lambda _self, kind: asked.append(kind))
    assert plan(provider, type_token, {}, {}).changes is DiffChanges.NONE
    assert asked == []


@pytest.mark.parametrize(
    ("live_namespace", "changed"), [("shop", ["metadata.namespace"]), (None, [])], ids=["namespaced", "cluster-scoped"]
)
def test_live_custom_object_tells_by_itself_whether_it_has_a_namespace(
    provider: KubernetesProvider, live_namespace: str | None, changed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cluster, "resource", lambda _self, kind: pytest.fail(f"asked for {kind}"))
    old = {**CUSTOM, "metadata": {"name": "b", "namespace": "shop"}}
    live = {**CUSTOM, "metadata": {"name": "b", "uid": "1"} | ({"namespace": "shop"} if live_namespace else {})}
    outputs = checkpoint(copy.deepcopy(old), live, old, initial_api_version="elbv2.k8s.aws/v1beta1", field_manager="m")
    new = {**CUSTOM, "metadata": {"name": "b", "namespace": "elsewhere"}}
    found = provider.diff(context(BINDING), "shop/b", old, outputs, new)
    assert list(found.detailed or {}) == changed


def test_cluster_is_asked_where_a_new_custom_object_would_live(
    provider: KubernetesProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = kind_of(CUSTOM, BINDING)
    monkeypatch.setattr(Cluster, "resource", lambda _self, _kind: ApiResource(kind, "bindings", namespaced=False))
    assert "namespace" not in check(provider, BINDING, {}, {**CUSTOM}).inputs["metadata"]
