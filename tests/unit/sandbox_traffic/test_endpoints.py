"""Which pods a TargetGroupBinding makes targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipway.sandbox.traffic.binding_resource import APIS
from slipway.sandbox.traffic.endpoints import wanted_targets
from slipway.sandbox.traffic.model import Target

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef"


def _binding(port: int | str = 80) -> dict[str, Any]:
    spec = {"serviceRef": {"name": "orders", "port": port}, "targetGroupARN": ARN, "targetType": "ip"}
    return {"metadata": {"namespace": "shop", "name": "blue", "generation": 1}, "spec": spec}


def _service(name: str = "orders", port_name: str = "http") -> dict[str, Any]:
    port = {"port": 80, "targetPort": "web"} | ({"name": port_name} if port_name else {})
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {"ports": [{"port": 9, "name": "other"}, port]}}


def _slice(*endpoints: dict[str, Any], service: str = "orders", namespace: str = "shop", **more: Any) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": "x", "labels": {"kubernetes.io/service-name": service}}
    ports = [{"name": "http", "port": 8080}, {"name": "other", "port": 9}]
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": list(endpoints), "ports": ports, **more}


def _endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


@pytest.mark.parametrize("port", [80, "80", "http"])
def test_ready_pods_are_targets_at_the_pod_port_when_service_port_is_given(port: int | str) -> None:
    slices = [_slice(_endpoint("10.90.0.5", ready=True)), _slice(_endpoint("10.90.0.6"))]
    result = wanted_targets(_binding(port), [_service()], slices)
    assert result.targets == {Target("10.90.0.5", 8080), Target("10.90.0.6", 8080)}
    assert not result.problem


def test_pods_are_no_targets_when_not_ready_or_terminating() -> None:
    item = _slice(
        _endpoint("10.90.0.5", ready=False),
        _endpoint("10.90.0.6", ready=True, terminating=True),
        _endpoint("10.90.0.7", ready=True, terminating=False),
    )
    assert wanted_targets(_binding(), [_service()], [item]).targets == {Target("10.90.0.7", 8080)}


def test_pods_that_wait_for_readiness_gates_only_are_targets() -> None:
    waits, starts, goes = (
        {
            **_endpoint(f"10.90.0.{number}", ready=False, terminating=uid == "goes"),
            "targetRef": {"kind": "Pod", "uid": uid},
        }
        for number, uid in enumerate(("waits", "starts", "goes"))
    )
    result = wanted_targets(_binding(), [_service()], [_slice(waits, starts, goes)], {"waits", "goes"})
    assert result.targets == {Target("10.90.0.0", 8080)}
    assert result.pods == {Target("10.90.0.0", 8080): "waits"}
    assert result.served


def test_pods_are_no_targets_when_of_another_service_namespace_or_family() -> None:
    endpoint = _endpoint("10.90.0.5", ready=True)
    slices = [
        _slice(endpoint, service="payments"),
        _slice(endpoint, namespace="elsewhere"),
        _slice(endpoint, addressType="IPv6"),
    ]
    assert not wanted_targets(_binding(), [_service()], slices).targets


def test_port_without_name_is_found_when_the_slice_has_null_lists() -> None:
    slices = [_slice(_endpoint("10.90.0.5"), ports=[{"name": "", "port": 8000}]), _slice(endpoints=None, ports=None)]
    result = wanted_targets(_binding(), [_service(port_name="")], slices)
    assert result.targets == {Target("10.90.0.5", 8000)}


def test_problem_names_what_is_missing_when_service_or_port_does_not_exist() -> None:
    assert "no Service shop/orders" in wanted_targets(_binding(), [], []).problem
    assert "no port 81" in wanted_targets(_binding(81), [_service()], []).problem


def test_binding_that_is_being_deleted_has_no_targets() -> None:
    binding = _binding()
    binding["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not wanted_targets(binding, [_service()], [_slice(_endpoint("10.90.0.5"))]).targets


KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: c, context: {cluster: c, user: c}}]
users: [{name: c, user: {}}]
current-context: c
"""


class _Registry:
    def __init__(self, *targets: Target) -> None:
        self.targets = set(targets)
        self.refused: set[str] = set()

    def registered(self, arn: str) -> frozenset[Target]:
        del arn
        return frozenset(self.targets)

    def change_targets(self, arn: str, add: Any, remove: Any) -> bool:
        del arn
        self.targets = (self.targets | set(add)) - set(remove)
        return True

    def health(self, arn: str, targets: Any) -> dict[Target, Any]:
        del arn, targets
        return {}

    def refusal(self, cluster: str, arn: str) -> str:
        return f"{cluster} may not" if arn in self.refused else ""


def test_restarted_controller_removes_only_what_it_registered(tmp_path: Path) -> None:
    from slipway.sandbox.traffic.bindings import BindingController  # noqa: PLC0415 - slow to import
    from slipway.sandbox.traffic.endpoints import Wanted  # noqa: PLC0415

    foreign, ours, new = Target("10.0.0.1", 80), Target("10.90.0.5", 80), Target("10.90.0.6", 80)
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    registry, record = _Registry(foreign), tmp_path / "bindings" / "c.json"

    def controller() -> Any:
        return BindingController("c", tmp_path / "kubeconfig", registry, record, {"elbv2.k8s.aws"})

    controller()._converge([Wanted(binding="b", target_group_arn=ARN, targets=frozenset({ours}))])
    assert registry.targets == {foreign, ours}
    second = controller()
    second._converge([Wanted(binding="b", target_group_arn=ARN, targets=frozenset({new}))])
    assert registry.targets == {foreign, new}
    second.withdraw()
    assert registry.targets == {foreign}
    assert not record.exists()


def test_controller_registers_nothing_where_its_identity_may_not(tmp_path: Path) -> None:
    from slipway.sandbox.traffic.bindings import BindingController  # noqa: PLC0415 - slow to import
    from slipway.sandbox.traffic.endpoints import Wanted  # noqa: PLC0415

    foreign, ours = Target("10.0.0.1", 80), Target("10.90.0.5", 80)
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    registry, record = _Registry(foreign), tmp_path / "bindings" / "c.json"
    registry.refused.add(ARN)
    controller: Any = BindingController("c", tmp_path / "kubeconfig", registry, record, {"elbv2.k8s.aws"})

    controller._converge([Wanted(binding="b", target_group_arn=ARN, targets=frozenset({ours}))])
    assert registry.targets == {foreign}
    assert not record.exists()  # what it does not own it must not take away later
    registry.refused.clear()
    controller._converge([Wanted(binding="b", target_group_arn=ARN, targets=frozenset({ours}))])
    assert registry.targets == {foreign, ours}


def test_bindings_of_auto_mode_have_what_aws_takes_there() -> None:
    def spec(group: str) -> dict[str, Any]:
        (version,) = APIS[group].crd()["spec"]["versions"]
        return version["schema"]["openAPIV3Schema"]["properties"]["spec"]

    auto, controller = spec("eks.amazonaws.com"), spec("elbv2.k8s.aws")
    assert auto["required"] == ["serviceRef", "targetGroupARN", "targetType"]
    assert controller["required"] == ["serviceRef", "targetGroupARN"]
    assert {*controller["properties"]} - {*auto["properties"]} == {"networking"}
    assert APIS["eks.amazonaws.com"].crd()["metadata"]["name"] == "targetgroupbindings.eks.amazonaws.com"
