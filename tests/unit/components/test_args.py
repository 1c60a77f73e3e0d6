"""Arguments that are refused before any resource is registered."""

from collections.abc import Callable
from typing import Any

import pytest

from components import (
    ArgsError,
    BlueGreenServiceArgs,
    ClusterArgs,
    ColourRelease,
    Compute,
    DatabaseArgs,
    EnvironmentArgs,
    LoadBalancerArgs,
    MonitoringArgs,
    Permission,
    PodSettings,
)
from components.load_balancer import check_name

DIGEST = "orders@sha256:" + "0" * 64


DEPLOY = "arn:aws:iam::123456789012:role/deploy"


def cluster(**changes: Any) -> ClusterArgs:
    base = {"subnet_ids": [], "key_arn": "k", "region": "r", "kubernetes_version": "1.35"}
    return ClusterArgs(**{**base, "admin_principal_arns": [DEPLOY], **changes})


def database(**changes: Any) -> DatabaseArgs:
    base = {"vpc_id": "v", "subnet_ids": [], "client_security_group_ids": {}, "key_arn": "k", "database_name": "orders"}
    return DatabaseArgs(**{**base, **changes})


def load_balancer(**changes: Any) -> LoadBalancerArgs:
    base = {"vpc_id": "v", "subnet_ids": [], "weights": {"blue": 100, "green": 0}, "test_colour": "green"}
    base |= {"pods_security_group_id": "p"}
    return LoadBalancerArgs(**{**base, **changes})


def service(**changes: Any) -> BlueGreenServiceArgs:
    base = {"service": "orders", "cluster_name": "shop", "colours": {"blue": None, "green": None}}
    return BlueGreenServiceArgs(**{**base, "target_group_arns": {}, "environment": {}, **changes})


def monitoring(**changes: Any) -> MonitoringArgs:
    base = {"service": "s", "region": "r", "load_balancer_arn": "a", "target_group_arns": {}}
    return MonitoringArgs(**{**base, "database_identifier": "d", "key_arn": "k", **changes})


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: EnvironmentArgs(cidr="10.0.0.0/16", zones=["a", "b"], nat_gateways="two"), "nat_gateways"),
        (lambda: EnvironmentArgs(cidr="10.0.0.0/30", zones=["a", "b"]), "cidr"),
        (lambda: EnvironmentArgs(cidr="10.0.0.0/16", zone_count=1), "zone_count"),
        (lambda: cluster(admin_principal_arns=[]), "admin_principal_arns"),
        (lambda: cluster(admin_principal_arns=["arn:aws:sts::1:assumed-role/deploy/me"]), "admin_principal_arns"),
        (lambda: cluster(view_principal_arns=[DEPLOY]), "admin_principal_arns"),
        (lambda: cluster(endpoint_cidrs=["office"]), "endpoint_cidrs"),
        (lambda: cluster(endpoint_cidrs=[f"203.0.113.{n}/32" for n in range(41)]), "endpoint_cidrs"),
        (lambda: cluster(log_retention_days=13), "log_retention_days"),
        (
            lambda: cluster(compute=Compute.NODE_GROUP, minimum_nodes=3, desired_nodes=2),
            "minimum_nodes, desired_nodes, maximum_nodes",
        ),
        (lambda: cluster(compute="fargate"), "compute"),
        (lambda: cluster(instance_type="m6i.large"), "instance_type"),
        (lambda: cluster(desired_nodes=1), "desired_nodes"),
        (lambda: cluster(disk_gib=50), "disk_gib"),
        (lambda: cluster(node_labels={"tier": "web"}), "node_labels"),
        (lambda: cluster(addons=["metrics-server", "coredns"]), "addons"),
        (lambda: database(storage_gib=10), "storage_gib"),
        (lambda: database(allow_major_version_upgrade=True), "apply_immediately"),
        (lambda: database(backup_days=0), "backup_days"),
        (lambda: load_balancer(weights={"blue": 100}), "weights"),
        (lambda: load_balancer(weights={"blue": 1000, "green": 0}), "weights"),
        (lambda: load_balancer(test_colour="red"), "test_colour"),
        (lambda: load_balancer(protect=True), "certificate_arn"),
        (lambda: load_balancer(domain="orders.example.com"), "zone_id"),
        (lambda: load_balancer(zone_id="Z1"), "domain"),
        (lambda: load_balancer(domain="Orders.example.com", zone_id="Z1"), "domain"),
        (lambda: load_balancer(domain=f"{'o' * 53}.example.com", zone_id="Z1"), "domain"),
        (lambda: load_balancer(deregistration_delay_seconds=3601), "deregistration_delay_seconds"),
        (lambda: check_name("recommendations-staging-2"), "name"),
        (lambda: load_balancer(test_priority=0), "test_priority"),
        (lambda: load_balancer(test_priority=50_001), "test_priority"),
        (lambda: service(colours={"red": None}), "colours"),
        (lambda: service(floors={"red": 3}), "floors"),
        (lambda: service(compute="fargate"), "compute"),
        (lambda: Permission(actions=["*"], resources=["*"]), "actions"),
        (lambda: Permission(actions=[], resources=["*"]), "actions"),
        (lambda: Permission(actions=["sqs:SendMessage"], resources=[]), "resources"),
        (lambda: PodSettings(port=9090), "metrics_port"),
        (lambda: service(minimum_replicas=0), "minimum_replicas, maximum_replicas"),
        (lambda: ColourRelease(release="r-1", version="1", image="orders:latest"), "image"),
        (lambda: PodSettings(port=0), "port"),
        (lambda: PodSettings(memory_mib=1), "cpu_millicores, memory_mib"),
        (lambda: PodSettings(slowest_request_seconds=30), "deregistration_delay_seconds"),
        (lambda: database(log_retention_days=13), "log_retention_days"),
        (lambda: monitoring(alarms=True), "alarms"),
        (lambda: monitoring(subscriber_urls=["http://pages.example.com"]), "subscriber_urls"),
    ],
)
def test_refuses_arguments_that_cannot_work(build: Callable[[], object], field: str) -> None:
    with pytest.raises(ArgsError) as caught:
        build()
    assert caught.value.field == field


def test_arguments_are_accepted_at_their_defaults() -> None:
    assert cluster().wanted_addons == ("metrics-server",)
    assert cluster(compute=Compute.NODE_GROUP).wanted_addons[-1] == "eks-pod-identity-agent"
    assert cluster(compute=Compute.NODE_GROUP, desired_nodes=2).node_counts == (1, 2, 3)
    assert database().storage_gib == 20
    assert load_balancer().test_priority == 1
    assert (
        service(colours={"blue": ColourRelease(release="r-1", version="1", image=DIGEST), "green": None}).pod.port
        == 8080
    )
    assert monitoring().running_colours == ("blue", "green")
