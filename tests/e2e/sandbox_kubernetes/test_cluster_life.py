"""One real cluster from creation to removal: pods, Service, DNS, logs, exec, metrics, a crash of every process, and nothing left behind.

Not proven here: behaviour after a reboot of the machine, and version 2 of control groups.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from slipway.sandbox.kubernetes import ClusterInfo, ClusterManager
from slipway.sandbox.kubernetes.images import import_image, write_scratch_image
from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from tests.waiting import wait_until

PROBE_SOURCES = Path(__file__).parent / "probe"
IMAGE = "slipway.test/probe:1"
MANIFESTS = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: probe, namespace: default}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: probe}}}}
  template:
    metadata: {{labels: {{app: probe}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: probe
        image: {IMAGE}
        imagePullPolicy: Never
        readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
        resources: {{requests: {{cpu: 10m, memory: 16Mi}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: probe, namespace: default}}
spec:
  selector: {{app: probe}}
  ports: [{{port: 80, targetPort: 8080}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: probe, namespace: default}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: probe}}
  minReplicas: 2
  maxReplicas: 3
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 90}}}}}}]
"""


class Cluster:
    """The cluster under test, and its kubectl."""

    def __init__(
        self, manager: ClusterManager, processes: ProcessTable, layout: ClusterLayout, info: ClusterInfo
    ) -> None:
        self.manager = manager
        self.processes = processes
        self.layout = layout
        self.info = info

    def kubectl(self, *arguments: str, text: str = "") -> str:
        argv = [str(self.manager.kubectl()), f"--kubeconfig={self.info.admin_kubeconfig}", *arguments]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=150, check=False)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def pod_addresses(self) -> list[str]:
        return self.kubectl("get", "pods", "-l", "app=probe", "-o", "jsonpath={.items[*].status.podIP}").split()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    paths = SandboxPaths.from_environment()
    processes = ProcessTable(paths)
    manager = ClusterManager(paths, processes)
    name = f"e2e-{uuid4().hex[:6]}"
    binary = tmp_path_factory.mktemp("probe") / "probe"
    command = ["go", "build", "-buildvcs=false", "-o", str(binary), "."]
    subprocess.run(command, cwd=PROBE_SOURCES, check=True, timeout=300, env={**os.environ, "CGO_ENABLED": "0"})
    archive = binary.with_suffix(".tar")
    write_scratch_image(archive, IMAGE, {"/probe": binary}, entrypoint=["/probe"])
    try:
        info = manager.create(name, token_webhook_url=f"http://127.0.0.1:4566/_slipway/token-review/{name}")
        manager.add_node_group(name, "workers", 2)
        layout = ClusterLayout.of(paths, name, info.index)
        import_image(layout.node(0).containerd_socket, archive)
        made = Cluster(manager, processes, layout, info)
        made.kubectl("apply", "-f", "-", text=MANIFESTS)
        made.kubectl("rollout", "status", "deployment/probe", "--timeout=120s")
        yield made
    finally:
        manager.delete(name)


def test_pods_answer_the_host_by_their_own_addresses(cluster: Cluster) -> None:
    addresses = cluster.pod_addresses()

    assert len(addresses) == 2
    for address in addresses:
        assert httpx.get(f"http://{address}:8080/", timeout=5, trust_env=False).text.startswith("probe-")


def test_pod_finds_a_service_by_its_name(cluster: Cluster) -> None:
    cluster.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")

    answer = cluster.kubectl(
        "exec", "deployment/probe", "--", "/probe", "get", "http://probe.default.svc.cluster.local/"
    )

    assert answer.startswith("probe-")


def test_logs_come_from_the_pod(cluster: Cluster) -> None:
    assert "serving" in cluster.kubectl("logs", "deployment/probe")


def test_node_says_its_group_and_zone(cluster: Cluster) -> None:
    path = r"{.items[*].metadata.labels.eks\.amazonaws\.com/nodegroup}"
    zone = r"{.items[*].metadata.labels.topology\.kubernetes\.io/zone}"

    # Two were desired; one real node stands for the group.
    assert cluster.kubectl("get", "nodes", "-o", f"jsonpath={path}") == "workers"
    assert cluster.kubectl("get", "nodes", "-o", f"jsonpath={zone}") == "us-east-1a"


def test_autoscaler_acts_on_real_numbers(cluster: Cluster) -> None:
    path = "jsonpath={.status.currentMetrics[0].resource.current.averageUtilization}"

    wait_until(lambda: cluster.kubectl("get", "hpa", "probe", "-o", path).isdigit(), "CPU of the pods in the HPA", 120)


def test_cluster_comes_back_when_all_of_it_was_killed(cluster: Cluster) -> None:
    own = [record for record in cluster.processes.records() if record.name.startswith(cluster.info.name)]
    assert len(own) == 6
    for record in own:
        process = record.process()
        assert process is not None, f"{record.name} does not run"
        process.kill()

    cluster.manager.resume()

    assert cluster.manager.info(cluster.info.name).ca_pem == cluster.info.ca_pem
    cluster.kubectl("rollout", "status", "deployment/probe", "--timeout=120s")
    assert len(cluster.pod_addresses()) == 2


def test_nothing_is_left_when_the_cluster_is_deleted(cluster: Cluster) -> None:
    node = cluster.layout.node(0)

    cluster.manager.delete(cluster.info.name)

    assert cluster.info.name not in cluster.manager.names()
    assert not cluster.layout.folder.exists()
    assert not node.runtime_folder.exists()
    assert not (Path("/run/netns") / node.key).exists()
    assert not (Path("/sys/class/net") / node.host_interface).exists()
    assert not [path for path in Path("/sys/fs/cgroup").glob(f"*{node.cgroup}") if path.exists()]
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if f"/{node.key}/" in line]
    assert not [record.name for record in cluster.processes.records() if record.name.startswith(cluster.info.name)]
