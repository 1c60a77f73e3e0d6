"""Readiness gates on a real control plane: its webhooks, its EndpointSlices, its conditions. The pods' kubelet is played.

Not proven: that a kubelet makes a pod Ready when its gates open.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

STORY = """
import json, sys, time
from pathlib import Path
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from slipway.sandbox import following
from slipway.sandbox.aws.eks.pod_routes import admission_application
from slipway.sandbox.aws.server import AwsServer
from slipway.sandbox.go_programs import Binaries
from slipway.sandbox.kubernetes.addons import render_readiness_gates
from slipway.sandbox.kubernetes.api import apply_manifests
from slipway.sandbox.kubernetes.control_plane import ACCOUNT
from slipway.sandbox.kubernetes.layout import ClusterLayout, admission_pki
from slipway.sandbox.kubernetes.pki import ensure_admission_pki, server_context
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import ADMISSION_PORT, LOOPBACK
from slipway.sandbox.traffic.bindings import BindingController
from slipway.sandbox.traffic.health import HEALTHY, TargetHealth
from slipway.sandbox.traffic.pod_conditions import _is_of_gone_pod

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef"
GATE = "target-health.elbv2.k8s.aws/blue"
paths = SandboxPaths(Path(sys.argv[1]))
layout = ClusterLayout.of(paths, "dev", 0)
core = client.CoreV1Api(config.new_client_from_config(str(layout.admin_kubeconfig)))
custom = client.CustomObjectsApi(core.api_client)

class Registry:
    def __init__(self):
        self.targets = {}
    def registered(self, arn):
        return frozenset(self.targets)
    def change_targets(self, arn, add, remove):
        self.targets |= dict.fromkeys(add, TargetHealth())
        for target in remove:
            self.targets.pop(target, None)
        return True
    def refusal(self, cluster, arn):
        return ""
    def health(self, arn, targets):
        return {target: self.targets[target] for target in targets if target in self.targets}

def wait(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return found

def pod(name, namespace, app="orders", node="worker"):
    body = {
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {"nodeName": node, "containers": [{"name": "a", "image": "a"}]},
    }
    made = core.create_namespaced_pod(namespace, body)
    return [gate.condition_type for gate in made.spec.readiness_gates or []]

def plays_kubelet(name, address, ready, containers="True"):
    conditions = [{"type": "ContainersReady", "status": containers}, {"type": "Ready", "status": ready}]
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}
    core.patch_namespaced_pod_status(name, "shop", {"status": status})

def condition(name):
    found = core.read_namespaced_pod(name, "shop").status.conditions or []
    return next(([each.status, each.reason, each.message] for each in found if each.type == GATE), None)

def addresses():
    return sorted(target.address for target in registry.targets)

following.RESYNC_SECONDS = 600  # what happens here, watches bring about
registry = Registry()
controller = BindingController("dev", layout.admin_kubeconfig, registry, paths.home / "record.json", {"elbv2.k8s.aws"})
controller.start()
ensure_admission_pki(admission_pki(paths))
server = AwsServer(
    admission_application(ACCOUNT, gates=lambda _cluster, *pod: controller.gates_of_new_pod(*pod)),
    [LOOPBACK],
    ADMISSION_PORT,
    tls=server_context(admission_pki(paths)),
)
server.start()
authority = (admission_pki(paths) / "ca.crt").read_bytes()
apply_manifests(Binaries(paths).path("kubectl"), layout.admin_kubeconfig, render_readiness_gates(layout, authority))
core.create_node({"metadata": {"name": "worker"}})
core.patch_node_status("worker", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
LABELS = {
    "shop": {f"{group}/pod-readiness-gate-inject": "enabled" for group in ("elbv2.k8s.aws", "eks.amazonaws.com")},
    "auto": {"eks.amazonaws.com/pod-readiness-gate-inject": "enabled"},
    "plain": {},
}
seen = {"gates": {}}
for namespace, labels in LABELS.items():
    core.create_namespace({"metadata": {"name": namespace, "labels": labels}})
for namespace in LABELS:
    def has_account():
        return [each for each in core.list_namespaced_service_account(namespace).items if each.metadata.name == "default"]
    wait("the service account", has_account)
seen["gates"]["before the binding"] = pod("early", "shop")
for namespace in LABELS:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    core.create_namespaced_service(
        namespace, {"metadata": {"name": "orders"}, "spec": {"selector": {"app": "orders"}, "ports": ports}}
    )
    spec = {"serviceRef": {"name": "orders", "port": 80}, "targetGroupARN": ARN, "targetType": "ip"}
    body = {
        "apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding", "metadata": {"name": "blue"}, "spec": spec,
    }
    custom.create_namespaced_custom_object("elbv2.k8s.aws", "v1beta1", namespace, "targetgroupbindings", body)

def has_gates():
    core.delete_namespaced_pod("first", "shop", grace_period_seconds=0) if "first" in names() else None
    return pod("first", "shop")

def names():
    return [each.metadata.name for each in core.list_namespaced_pod("shop").items]

seen["gates"]["shop"] = wait("the webhook", has_gates)
seen["gates"]["other labels"] = pod("other", "shop", app="other")
for namespace in ("auto", "plain"):
    seen["gates"][namespace] = pod("first", namespace)

plays_kubelet("first", "10.90.0.5", ready="False", containers="False")
time.sleep(1)
seen["targets while its containers start"] = addresses()
plays_kubelet("first", "10.90.0.5", ready="False")
seen["told at first"] = wait("the condition", lambda: condition("first"))
seen["targets while it waits"] = addresses()
registry.targets = dict.fromkeys(registry.targets, HEALTHY)
controller.on_health_change(ARN)
wait("the gate opens", lambda: condition("first")[0] == "True")
plays_kubelet("first", "10.90.0.5", ready="True")
version = core.read_namespaced_pod("first", "shop").metadata.resource_version
began, dropped = time.monotonic(), False
while time.monotonic() - began < 3:
    dropped = dropped or addresses() != ["10.90.0.5"]
    time.sleep(0.01)
seen["was dropped when it became ready"] = dropped
seen["was patched without need"] = core.read_namespaced_pod("first", "shop").metadata.resource_version != version

seen["refusals"] = []
found = core.read_namespaced_pod("first", "shop").metadata
for name, uid in (("nobody", found.uid), ("first", "00000000-0000-0000-0000-000000000000")):
    try:
        controller._conditions._patch(
            {"name": name, "namespace": "shop", "uid": uid}, {"type": GATE, "status": "False", "reason": "x"}
        )
    except ApiException as error:
        seen["refusals"].append(_is_of_gone_pod(error))

pod("second", "shop")
plays_kubelet("second", "10.90.0.6", ready="False")
wait("the second is told", lambda: (condition("second") or [""])[0] == "False")
custom.delete_namespaced_custom_object("elbv2.k8s.aws", "v1beta1", "shop", "targetgroupbindings", "blue")
wait("the second waits no longer", lambda: condition("second")[0] == "True")
seen["told at last"] = condition("second")
seen["plain pod"] = condition("early")
controller.stop()
server.stop()
print(json.dumps(seen))
"""
GATE = "target-health.elbv2.k8s.aws/blue"


@pytest.fixture(scope="module")
def seen(plane: Any) -> dict[str, Any]:
    return json.loads(plane.python(STORY, 120).splitlines()[-1])


def test_pods_get_gates_by_label_of_their_namespace_and_binding_before_them(seen: dict[str, Any]) -> None:
    # The cluster is not in Auto Mode, whose label has no effect here.
    expected = {"before the binding": [], "shop": [GATE], "other labels": [], "auto": [], "plain": []}
    assert seen["gates"] == expected
    assert seen["plain pod"] is None


def test_pod_is_a_target_while_its_gate_is_closed_and_when_it_opens(seen: dict[str, Any]) -> None:
    assert seen["targets while its containers start"] == []
    assert seen["targets while it waits"] == ["10.90.0.5"]
    assert seen["told at first"] == ["False", "Elb.RegistrationInProgress", "Target registration is in progress"]
    assert not seen["was dropped when it became ready"]
    assert not seen["was patched without need"]


def test_another_pod_of_the_name_gets_no_condition(seen: dict[str, Any]) -> None:
    assert seen["refusals"] == [True, True]  # known as those of a pod that is gone


def test_gate_opens_when_the_binding_goes(seen: dict[str, Any]) -> None:
    assert seen["told at last"][0] == "True"
    assert seen["told at last"][2] == "Target Group Binding is deleted"
