"""Arguments that are refused before any resource is registered."""

from collections.abc import Callable
from typing import Any

import pytest

from components import (
    ArgsError,
    BlueGreenServiceArgs,
    ClusterArgs,
    ColourRelease,
    DatabaseArgs,
    EnvironmentArgs,
    LoadBalancerArgs,
    MonitoringArgs,
    PodSettings,
)

DIGEST = "orders@sha256:" + "0" * 64


def cluster(**changes: Any) -> ClusterArgs:
    return ClusterArgs(**{"subnet_ids": [], "key_arn": "k", "region": "r", "kubernetes_version": "1.35", **changes})


def database(**changes: Any) -> DatabaseArgs:
    base = {"vpc_id": "v", "subnet_ids": [], "client_security_group_ids": {}, "key_arn": "k", "database_name": "orders"}
    return DatabaseArgs(**{**base, **changes})


def load_balancer(**changes: Any) -> LoadBalancerArgs:
    base = {"vpc_id": "v", "subnet_ids": [], "weights": {"blue": 100, "green": 0}, "test_colour": "green"}
    return LoadBalancerArgs(**{**base, **changes})


def service(**changes: Any) -> BlueGreenServiceArgs:
    base = {"service": "orders", "colours": {"blue": None, "green": None}, "target_group_arns": {}, "environment": {}}
    return BlueGreenServiceArgs(**{**base, **changes})


def monitoring(**changes: Any) -> MonitoringArgs:
    base = {"service": "s", "region": "r", "load_balancer_arn": "a", "target_group_arns": {}}
    return MonitoringArgs(**{**base, "database_identifier": "d", "key_arn": "k", **changes})


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: EnvironmentArgs(cidr="10.0.0.0/16", zones=["a", "b"], nat_gateways="two"), "nat_gateways"),
        (lambda: EnvironmentArgs(cidr="10.0.0.0/30", zones=["a", "b"]), "cidr"),
        (lambda: cluster(minimum_nodes=3, desired_nodes=2), "minimum_nodes, desired_nodes, maximum_nodes"),
        (lambda: database(storage_gib=10), "storage_gib"),
        (lambda: database(backup_days=0), "backup_days"),
        (lambda: load_balancer(weights={"blue": 100}), "weights"),
        (lambda: load_balancer(weights={"blue": 1000, "green": 0}), "weights"),
        (lambda: load_balancer(test_colour="red"), "test_colour"),
        (lambda: load_balancer(test_cidrs=["office"]), "test_cidrs"),
        (lambda: service(colours={"red": None}), "colours"),
        (lambda: service(minimum_replicas=0), "minimum_replicas, maximum_replicas"),
        (lambda: ColourRelease(release="r-1", version="1", image="orders:latest"), "image"),
        (lambda: PodSettings(port=0), "port"),
        (lambda: PodSettings(memory_mib=1), "cpu_millicores, memory_mib"),
        (lambda: monitoring(log_retention_days=13), "log_retention_days"),
    ],
)
def test_refuses_arguments_that_cannot_work(build: Callable[[], object], field: str) -> None:
    with pytest.raises(ArgsError) as caught:
        build()
    assert caught.value.field == field


def test_arguments_are_accepted_at_their_defaults() -> None:
    assert cluster().addons[-1] == "metrics-server"
    assert database().storage_gib == 20
    assert load_balancer().test_port == 8080
    assert (
        service(colours={"blue": ColourRelease(release="r-1", version="1", image=DIGEST), "green": None}).pod.port
        == 8080
    )
    assert monitoring().log_retention_days == 30
