"""Readiness gates of pods: which they get, which pods are targets before they are Ready, and what they are told of their targets."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from slipway.sandbox.traffic.endpoints import Wanted
from slipway.sandbox.traffic.health import HEALTHY, UNUSED, TargetHealth
from slipway.sandbox.traffic.model import Target
from slipway.sandbox.traffic.pod_conditions import Gate, PodConditions
from slipway.sandbox.traffic.readiness import changed_condition, gates_for, ready_but_for_gates

GROUP, ARN = "elbv2.k8s.aws", "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef"
TYPE = f"target-health.{GROUP}/blue"
GATE = Gate("shop", TYPE)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
UNHEALTHY = TargetHealth("unhealthy", "Target.Timeout", "Request timed out")


def _binding(name: str = "blue", service: str = "orders") -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"serviceRef": {"name": service, "port": 80}}}


def _service(name: str = "orders", **selector: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"selector": selector} if selector else {}}


def _pod(uid: str = "u", *gates: str, node: str = "n", **conditions: str) -> dict[str, Any]:
    listed = [{"type": kind, "status": status} for kind, status in conditions.items()]
    spec = {"nodeName": node, "readinessGates": [{"conditionType": gate} for gate in gates]}
    return {
        "metadata": {"name": f"pod-{uid}", "namespace": "shop", "uid": uid},
        "spec": spec,
        "status": {"conditions": listed},
    }


class _Api:
    """The one call, on pods in memory."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = {pod["metadata"]["uid"]: pod for pod in pods}
        self.refusals: dict[str, int] = {}
        """Status of the answer by name of the pod."""
        self.body = ""
        self.patched: list[str] = []

    def patch_namespaced_pod_status(self, name: str, namespace: str, body: Any, **_: Any) -> None:
        self.patched.append(name)
        if name in self.refusals:
            error = ApiException(status=self.refusals[name])
            error.body = self.body
            raise error
        pod = self.pods[body["metadata"]["uid"]]
        assert (pod["metadata"]["name"], pod["metadata"]["namespace"]) == (name, namespace)
        (condition,) = body["status"]["conditions"]
        kept = [each for each in pod["status"]["conditions"] if each["type"] != condition["type"]]
        pod["status"]["conditions"] = [*kept, condition]

    def status(self, uid: str) -> str | None:
        conditions = self.pods[uid]["status"]["conditions"]
        return next((each["status"] for each in conditions if each["type"] == TYPE), None)


class _World:
    def __init__(self, *pods: dict[str, Any]) -> None:
        self.api = _Api(*pods)
        self.health: dict[Target, TargetHealth] = {}
        core: Any = self.api
        self.conditions = PodConditions(core, self._health_of, lambda _namespace: list(self.api.pods.values()))

    def _health_of(self, arn: str, targets: Collection[Target]) -> Mapping[Target, TargetHealth]:
        assert arn == ARN
        return {target: self.health[target] for target in targets if target in self.health}

    def round(self, *uids: str) -> None:
        """These pods are targets."""
        pods = {Target(f"10.90.0.{uid}", 8080): uid for uid in uids}
        wanted = Wanted(binding="shop/blue", target_group_arn=ARN, targets=frozenset(pods), pods=pods, served=True)
        self.conditions.renew({GATE: wanted}, copy.deepcopy(self.api.pods))


def _target(uid: str) -> Target:
    return Target(f"10.90.0.{uid}", 8080)


@pytest.mark.parametrize("group", ["elbv2.k8s.aws", "eks.amazonaws.com"])
def test_pod_gets_a_gate_of_each_binding_whose_service_selects_it(group: str) -> None:
    bindings = [_binding("blue"), _binding("again"), _binding("green", "other"), _binding("lost", "missing")]
    services = [_service(app="orders", colour="blue"), _service("other", app="orders", colour="green")]
    labels = {"app": "orders", "colour": "blue", "pod-template-hash": "1"}

    gates = gates_for(labels, group, bindings, services)

    assert gates == [f"target-health.{group}/blue", f"target-health.{group}/again"]


def test_pod_gets_no_gate_without_binding_or_service_that_selects_it() -> None:
    labels, service = {"app": "orders"}, _service(app="orders")
    going = _binding()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert gates_for(labels, GROUP, [], [service]) == []
    assert gates_for(labels, GROUP, [_binding()], []) == []
    assert gates_for({}, GROUP, [_binding()], [service]) == []
    assert gates_for(labels, GROUP, [going], [service]) == []
    # A Service without selector selects nothing.
    assert gates_for(labels, GROUP, [_binding()], [_service()]) == []


def test_pod_is_ready_but_for_gates_when_its_containers_and_its_node_are() -> None:
    ready = {"ContainersReady": "True", "Ready": "False"}
    gone = _pod("gone", TYPE, **ready)
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    pods = [
        _pod("waits", TYPE, **ready),
        _pod("foreign", "example.com/feature", **ready),
        # Endpoints may still call it not ready: it must not leave the target group in between.
        _pod("passed", TYPE, ContainersReady="True", Ready="True"),
        _pod("plain", **ready),
        _pod("starts", TYPE, ContainersReady="False", Ready="False"),
        _pod("lost", TYPE, node="away", **ready),
        _pod("unscheduled", TYPE, node="", **ready),
        gone,
    ]
    nodes = [
        {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": status}]}}
        for name, status in (("n", "True"), ("away", "Unknown"))
    ]

    assert ready_but_for_gates(pods, nodes) == {"waits", "foreign", "passed"}


def test_condition_is_changed_only_where_it_differs() -> None:
    pod = _pod("u", TYPE)
    first = changed_condition(pod, TYPE, UNUSED, NOW)
    assert first == {
        "type": TYPE,
        "status": "False",
        "reason": "Target.NotInUse",
        "message": UNUSED.description,
        "lastTransitionTime": "2026-11-28T12:00:00Z",
    }
    pod["status"]["conditions"].append(first)
    later = NOW.replace(hour=13)

    assert changed_condition(pod, TYPE, UNUSED, later) is None
    other = changed_condition(pod, TYPE, UNHEALTHY, later)
    assert other is not None
    assert other["lastTransitionTime"] == "2026-11-28T12:00:00Z"
    healthy = changed_condition(pod, TYPE, HEALTHY, later)
    assert healthy is not None
    assert (healthy["status"], healthy["reason"]) == ("True", "")
    assert healthy["lastTransitionTime"] == "2026-11-28T13:00:00Z"


def test_pod_is_told_once_its_target_is_healthy_and_not_again() -> None:
    world = _World(_pod("1", TYPE), _pod("2"))
    world.round("1", "2")
    assert world.api.status("1") is None  # there is no such target group yet

    world.health = dict.fromkeys(map(_target, "12"), TargetHealth())
    world.round("1", "2")
    world.round("1", "2")
    assert world.api.status("1") == "False"
    world.health = dict.fromkeys(map(_target, "12"), HEALTHY)
    world.round("1", "2")
    world.round("1", "2")

    assert world.api.status("1") == "True"
    assert world.api.status("2") is None  # made without a gate
    assert world.api.patched == ["pod-1", "pod-1"]


def test_pod_stays_ready_until_the_pods_of_the_binding_change() -> None:
    world = _World(_pod("1", TYPE), _pod("2", TYPE))
    world.health = {_target("1"): HEALTHY, _target("2"): HEALTHY}
    world.round("1")
    world.round("1")
    world.health[_target("1")] = UNHEALTHY
    world.round("1")
    assert world.api.status("1") == "True"

    world.round("1", "2")

    assert (world.api.status("1"), world.api.status("2")) == ("False", "True")


@pytest.mark.parametrize(("status", "body"), [(404, ""), (409, ""), (422, "metadata.uid: field is immutable")])
def test_pod_that_is_gone_keeps_no_other_waiting(status: int, body: str) -> None:
    world = _World(_pod("1", TYPE), _pod("2", TYPE))
    world.health = {_target("1"): HEALTHY, _target("2"): HEALTHY}
    world.api.refusals["pod-1"], world.api.body = status, body

    world.round("1", "2")
    world.round("1", "2")

    assert world.api.status("2") == "True"
    # A conflict is no end: it is tried again without any other change.
    world.api.refusals.clear()
    world.round("1", "2")
    assert world.api.status("1") == "True"


@pytest.mark.parametrize("status", [422, 500])
def test_refusal_of_the_api_server_is_tried_again_after_the_others(status: int) -> None:
    world = _World(_pod("1", TYPE), _pod("2", TYPE))
    world.health = {_target("1"): HEALTHY, _target("2"): HEALTHY}
    world.api.refusals["pod-1"] = status
    with pytest.raises(ApiException):
        world.round("1", "2")
    assert world.api.status("2") == "True"

    world.api.refusals.clear()
    world.round("1", "2")

    assert world.api.status("1") == "True"


def test_pods_of_a_binding_that_goes_wait_no_longer() -> None:
    world = _World(_pod("1", TYPE), _pod("2", f"target-health.{GROUP}/other"))
    world.health = {_target("1"): TargetHealth()}
    world.round("1")
    world.api.refusals["pod-1"] = 500
    with pytest.raises(ApiException):
        world.conditions.renew({}, {})
    world.api.refusals.clear()

    world.conditions.renew({}, {})
    world.conditions.renew({}, {})

    assert world.api.status("1") == "True"
    assert world.api.pods["1"]["status"]["conditions"][-1]["message"] == "Target Group Binding is deleted"
    assert world.api.patched == ["pod-1", "pod-1", "pod-1"]
