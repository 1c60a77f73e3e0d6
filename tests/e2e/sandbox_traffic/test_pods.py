"""Pods behind a load balancer: found by a TargetGroupBinding, reached once a security group lets it in, replaced without a lost request.

Not proven: that a request survives which is being answered by a container at the moment it is killed. An ALB loses it, too.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml

from slipway.sandbox import lifecycle
from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths
from tests.aws import aws_client

PORT = 18081
PATIENCE = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 180}}
COREFILE = ".:5353 {\n  health :8080 {\n    lameduck 3s\n  }\n}\n"
"""The one image that every cluster has is CoreDNS, and it serves HTTP. On SIGTERM it goes on for three seconds."""


class Sandbox:
    """A cluster with a service of three pods, and a load balancer before it."""

    def __init__(self, work: Path) -> None:
        self.paths = SandboxPaths.from_environment()
        lifecycle.up(self.paths, print)
        self.environment = sandbox_environment(self.paths)
        self.name = f"traffic-{uuid4().hex[:6]}"
        self.kubeconfig = work / "config"
        self.elbv2 = self.client("elbv2")

    def client(self, service: str) -> Any:
        return aws_client(service, self.paths.home)

    def kubectl(self, *argv: str, given: str = "") -> str:
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), *argv]
        done = subprocess.run(
            command, input=given, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def create(self) -> None:
        ec2, eks = self.client("ec2"), self.client("eks")
        role = "arn:aws:iam::123456789012:role/cluster"
        subnets = ec2.describe_subnets()["Subnets"][:2]
        ids = [subnet["SubnetId"] for subnet in subnets]
        eks.create_cluster(name=self.name, roleArn=role, resourcesVpcConfig={"subnetIds": ids})
        eks.get_waiter("cluster_active").wait(name=self.name, **PATIENCE)
        eks.create_nodegroup(clusterName=self.name, nodegroupName="workers", subnets=ids, nodeRole=role)
        eks.get_waiter("nodegroup_active").wait(clusterName=self.name, nodegroupName="workers", **PATIENCE)
        self.kubeconfig.write_text(lifecycle.kubeconfig(self.paths, self.name).read_text())
        self.group_id = ec2.create_security_group(GroupName=self.name, Description="d", VpcId=subnets[0]["VpcId"])[
            "GroupId"
        ]
        made = self.elbv2.create_load_balancer(Name=self.name, Subnets=ids, SecurityGroups=[self.group_id])
        balancer = made["LoadBalancers"][0]
        self.balancer_arn, self.address = balancer["LoadBalancerArn"], balancer["DNSName"]
        self.group = self.elbv2.create_target_group(
            Name=self.name,
            Protocol="HTTP",
            Port=8080,
            VpcId=subnets[0]["VpcId"],
            TargetType="ip",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        action = {"Type": "forward", "TargetGroupArn": self.group}
        self.elbv2.create_listener(
            LoadBalancerArn=self.balancer_arn, Protocol="HTTP", Port=PORT, DefaultActions=[action]
        )
        selector = ["get", "deployment", "coredns", "--namespace", "kube-system", "--output"]
        image = self.kubectl(*selector, "jsonpath={.spec.template.spec.containers[0].image}")
        self.kubectl("apply", "--filename", "-", given=yaml.safe_dump_all(_manifests(image, self.group)))

    def let_in(self) -> None:
        """From the load balancer to the pods, by the group that EKS made for the cluster."""
        network = self.client("eks").describe_cluster(name=self.name)["cluster"]["resourcesVpcConfig"]
        rule = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": self.group_id}]}
        self.client("ec2").authorize_security_group_ingress(
            GroupId=network["clusterSecurityGroupId"], IpPermissions=[rule]
        )

    def delete(self) -> None:
        eks = self.client("eks")
        self.elbv2.delete_load_balancer(LoadBalancerArn=self.balancer_arn)
        self.elbv2.delete_target_group(TargetGroupArn=self.group)
        eks.delete_nodegroup(clusterName=self.name, nodegroupName="workers")
        eks.get_waiter("nodegroup_deleted").wait(clusterName=self.name, nodegroupName="workers", **PATIENCE)
        eks.delete_cluster(name=self.name)
        eks.get_waiter("cluster_deleted").wait(name=self.name, **PATIENCE)

    def states(self, what: str = "State") -> Counter[str]:
        rows = self.elbv2.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        return Counter(row["TargetHealth"].get(what, "") for row in rows)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; {self.states()}"
            time.sleep(0.2)

    def pods(self) -> list[str]:
        return self.kubectl("get", "pods", "--selector", "app=web", "--output", "name").split()


class Load:
    """About a hundred requests a second, over connections that stay open."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self.statuses: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(4)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)

    def _run(self) -> None:
        with httpx.Client(timeout=10) as client:
            while not self._stop.is_set():
                try:
                    self.statuses[str(client.get(self._url).status_code)] += 1
                except httpx.HTTPError as error:
                    self.statuses[repr(error)] += 1
                time.sleep(0.03)


def _manifests(image: str, group: str) -> list[dict[str, Any]]:
    labels, metadata = {"app": "web"}, {"name": "web", "namespace": "default"}
    container = {
        "name": "web",
        "image": image,
        "args": ["-conf", "/etc/web/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1},
        "volumeMounts": [{"name": "web", "mountPath": "/etc/web"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "web", "configMap": {"name": "web"}}]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": COREFILE}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "elbv2.k8s.aws/v1beta1",
            "kind": "TargetGroupBinding",
            "metadata": metadata,
            "spec": {"serviceRef": {"name": "web", "port": 80}, "targetGroupARN": group, "targetType": "ip"},
        },
    ]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path_factory.mktemp("kube"))
    made.create()
    yield made
    made.delete()


def test_load_balancer_reaches_no_pod_before_a_rule_lets_it_in(sandbox: Sandbox) -> None:
    sandbox.wait(lambda: sandbox.states("Reason") == {"Target.Timeout": 3}, "three pods that do not answer")
    assert httpx.get(f"http://{sandbox.address}:{PORT}/health").status_code == 503

    sandbox.let_in()

    sandbox.wait(lambda: sandbox.states() == {"healthy": 3}, "three healthy pods")


def test_no_request_is_lost_while_pods_are_deleted_killed_and_scaled(sandbox: Sandbox) -> None:
    with Load(f"http://{sandbox.address}:{PORT}/health") as load:
        time.sleep(1)
        for extra in ([], ["--grace-period=0", "--force"]):
            victim = sandbox.pods()[0]
            sandbox.kubectl("delete", victim, "--wait=false", *extra)
            sandbox.wait(
                lambda victim=victim: victim not in sandbox.pods() and sandbox.states()["healthy"] == 3, "a replacement"
            )
        sandbox.kubectl("scale", "deployment/web", "--replicas=1")
        sandbox.wait(lambda: len(sandbox.pods()) == 1 and sandbox.states()["healthy"] == 1, "one pod")
        time.sleep(1)
    assert set(load.statuses) == {"200"}, load.statuses
    assert load.statuses["200"] > 200


def test_pods_leave_the_target_group_when_the_binding_is_deleted(sandbox: Sandbox) -> None:
    sandbox.wait(lambda: sandbox.states()["healthy"] > 0, "a healthy pod")
    sandbox.kubectl("delete", "targetgroupbinding", "web")
    sandbox.wait(lambda: set(sandbox.states()) <= {"draining"}, "no registered pod", seconds=20)
