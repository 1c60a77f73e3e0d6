"""Migrations and Deployments through the official client, against a small stand-in of the Kubernetes API over HTTP.

The stand-in keeps Jobs and ends them as it is told. Not proven: that a kubelet runs the Job; the end-to-end tests of the sandbox do.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from kubernetes import client as kubernetes

from slipway.delivery.adapters import kubernetes_cluster
from slipway.delivery.adapters.kubernetes_cluster import KubernetesCluster
from slipway.delivery.adapters.migration_job import job_manifest
from slipway.delivery.errors import NotBegunError
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.release import Login, MigrationPhase, Revision
from slipway.delivery.model.size import Room, Size
from slipway.delivery.model.target import DatabaseLogin, Replicas
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.ports import Pods
from slipway.errors import OperationError

RELEASE = ColourRelease(release="r-20260105-0a1b2c3d", image="registry/orders@sha256:" + "0" * 64, version="1.0.0")
REVISIONS = [Revision(id="0002", phase=MigrationPhase.EXPAND)]
SCALERS = "/apis/autoscaling/v2/namespaces/orders/horizontalpodautoscalers"
JOBS = "/apis/batch/v1/namespaces/orders/jobs"


def pod(name: str, address: str, *, ready: bool = True, leaving: bool = False) -> dict[str, Any]:
    metadata = {"name": name} | ({"deletionTimestamp": "2026-01-05T09:00:00Z"} if leaving else {})
    return {"metadata": metadata, "status": {"podIP": address, "conditions": [{"type": "Ready", "status": str(ready)}]}}


@dataclass
class ClusterStandIn:
    """The state of the stand-in."""

    url: str = ""
    endings: list[str] = field(default_factory=list)
    """How the next Jobs end: "" well, otherwise the log line of a failure; one that is not told ends well."""
    jobs: dict[str, Any] = field(default_factory=dict)
    created: list[Any] = field(default_factory=list)
    deployments: dict[str, Any] = field(default_factory=dict)
    said: str = "Running upgrade 0001 -> 0002"
    """What Jobs write that end well."""
    log: str = ""
    scalers: dict[str, Any] = field(default_factory=dict)
    patches: list[tuple[str, str, Any]] = field(default_factory=list)
    """Of autoscalers and of scales: what kind, the query and the body."""
    nodes: list[Any] = field(default_factory=list)
    everything: list[Any] = field(default_factory=list)
    """Pods of all namespaces."""
    pods: list[Any] = field(default_factory=lambda: [pod("pod-1", "10.90.0.7")])

    def create(self, body: Any) -> Any:
        name = body["metadata"]["name"]
        ending = self.endings.pop(0) if self.endings else ""
        self.created.append(body)
        self.log = ending or self.said
        failed = {
            "type": "Failed",
            "status": "True",
            "reason": "BackoffLimitExceeded",
            "message": "Job has reached the limit",
        }
        self.jobs[name] = body | {"status": {"conditions": [failed]} if ending else {"succeeded": 1}}
        return self.jobs[name]

    def scale(self, method: str, name: str, body: Any, query: str) -> tuple[int, Any]:
        if name not in self.scalers:
            return 404, {"kind": "Status", "code": 404}
        if method == "PATCH":
            self.patches.append(("autoscaler", query, body))
            self.scalers[name]["spec"] |= body["spec"]
        return 200, self.scalers[name]

    def answer(self, method: str, path: str, body: Any, query: str = "") -> tuple[int, Any]:  # noqa: PLR0911 - a table of routes
        if method == "POST" and path == JOBS:
            return (409, {}) if body["metadata"]["name"] in self.jobs else (201, self.create(body))
        if path.startswith(f"{JOBS}/"):
            name = path.removeprefix(f"{JOBS}/")
            if name not in self.jobs:
                return 404, {"kind": "Status", "code": 404}
            return 200, self.jobs.pop(name) if method == "DELETE" else self.jobs[name]
        if path.startswith(f"{SCALERS}/"):
            return self.scale(method, path.removeprefix(f"{SCALERS}/"), body, query)
        if path in {"/api/v1/nodes", "/api/v1/pods"}:
            kind, items = ("NodeList", self.nodes) if path.endswith("nodes") else ("PodList", self.everything)
            return 200, {"kind": kind, "items": items}
        if path.endswith("/pods"):
            return 200, {"kind": "PodList", "items": self.pods}
        if path.endswith("/pods/pod-1/log"):
            return (200 if self.log else 204), self.log  # No Content: of a pod without a node
        if path.startswith("/apis/apps/v1/namespaces/orders/deployments/"):
            if path.endswith("/scale"):
                self.patches.append(("scale", query, body))
                self.deployments[path.split("/")[-2]]["spec"] |= body["spec"]
                return 200, {"kind": "Scale", "spec": body["spec"]}
            found = self.deployments.get(path.rpartition("/")[2])
            return (200, found) if found else (404, {})
        return 404, {}


@pytest.fixture
def stand_in() -> Iterator[ClusterStandIn]:
    state = ClusterStandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            url = urlsplit(self.path)
            status, content = state.answer(self.command, url.path, body, url.query)
            text = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - the library's name
        do_DELETE = do_GET  # noqa: N815 - the library's name
        do_PATCH = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cluster(stand_in: ClusterStandIn, monkeypatch: pytest.MonkeyPatch) -> KubernetesCluster:
    monkeypatch.setattr(kubernetes_cluster, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(kubernetes_cluster, "wait_exponential_jitter", lambda **_: lambda _state: 0)

    def connect() -> Any:
        configuration = kubernetes.Configuration()
        configuration.host = stand_in.url
        return kubernetes.ApiClient(configuration)

    names = {Colour.BLUE: "orders-blue", Colour.GREEN: "orders-green"}
    return KubernetesCluster(
        connect,
        namespace="orders",
        service="orders",
        deployments=names,
        secret_name="orders-database",
        replicas=Replicas(minimum=2, maximum=40),
        maximum_nodes=3,
    )


def test_pod_without_a_log_yet_is_in_nobodys_way(cluster: KubernetesCluster, stand_in: ClusterStandIn) -> None:
    """The client answers None: a bug was reported while a Job's pod had no node yet."""
    stand_in.said = ""
    told: list[str] = []
    cluster.migrate(RELEASE, REVISIONS, told.append)
    assert not any("upgrade" in line for line in told)


def test_migration_runs_as_one_job_and_its_log_is_told(cluster: KubernetesCluster, stand_in: ClusterStandIn) -> None:
    told: list[str] = []
    cluster.migrate(RELEASE, REVISIONS, told.append)
    (job,) = stand_in.created
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert job["metadata"]["name"] == "orders-migrate-0a1b2c3d-0002"
    assert (container["image"], container["command"][-1]) == (RELEASE.image, "0002")
    assert container["envFrom"] == [{"secretRef": {"name": "orders-database"}}]
    assert job["spec"]["template"]["spec"]["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    assert told == ["Running upgrade 0001 -> 0002"]


def test_release_with_tokens_has_its_users_made_before_its_migrations_each_job_as_itself(
    cluster: KubernetesCluster, stand_in: ClusterStandIn
) -> None:
    login = DatabaseLogin(ca_config_map="orders-ca", migrations="orders-migrations", roles="orders-roles")
    cluster._login = login
    cluster.migrate(replace(RELEASE, login=Login.TOKENS), REVISIONS, lambda _: None)
    made = [job["spec"]["template"]["spec"] for job in stand_in.created]
    assert [job["metadata"]["name"] for job in stand_in.created] == [
        "orders-roles-0a1b2c3d",
        "orders-migrate-0a1b2c3d-0002",
    ]
    assert [pod["serviceAccountName"] for pod in made] == ["orders-roles", "orders-migrations"]
    assert [pod["containers"][0]["envFrom"] for pod in made] == [
        [{"configMapRef": {"name": name}}] for name in ("orders-roles", "orders-migrations")
    ]
    assert all({"name": "database-ca", "configMap": {"name": "orders-ca"}} in pod["volumes"] for pod in made)
    assert made[0]["containers"][0]["command"] == ["python", "-m", "migrations.roles"]
    cluster.make_users(replace(RELEASE, login=Login.TOKENS), lambda _: None)
    assert len(stand_in.created) == 2, "once for each release"
    cluster.start_backfill(replace(RELEASE, login=Login.TOKENS), "0003", "run-1")
    assert stand_in.created[-1]["spec"]["template"]["spec"]["serviceAccountName"] == "orders-migrations"


def test_release_of_before_migrates_with_its_password_where_newer_ones_have_tokens(
    cluster: KubernetesCluster, stand_in: ClusterStandIn
) -> None:
    cluster._login = DatabaseLogin(ca_config_map="orders-ca", migrations="orders-migrations", roles="orders-roles")
    cluster.make_users(RELEASE, lambda _: None)
    cluster.migrate(RELEASE, REVISIONS, lambda _: None)
    (job,) = stand_in.created
    assert job["spec"]["template"]["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "orders-database"}}]
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]


def test_running_migration_tells_its_progress(
    cluster: KubernetesCluster, stand_in: ClusterStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes_cluster, "DEADLINE_SECONDS", -50)
    stand_in.create(job_manifest("orders-migrate-0a1b2c3d-0002", "orders", "orders-database", RELEASE, REVISIONS))
    (job,) = stand_in.jobs.values()
    job["status"], stand_in.log = {}, "backfill 0002: id 5 of 20"
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        job["status"], stand_in.log = {"succeeded": 1}, "backfill 0002: id 5 of 20\nbackfill 0002: id 20 of 20"

    cluster.migrate(RELEASE, REVISIONS, tell)
    assert told == ["backfill 0002: id 5 of 20", "backfill 0002: id 20 of 20"]


def test_migration_that_has_run_is_not_run_again(cluster: KubernetesCluster, stand_in: ClusterStandIn) -> None:
    cluster.migrate(RELEASE, REVISIONS, lambda _: None)
    cluster.migrate(RELEASE, REVISIONS, lambda _: None)
    assert len(stand_in.created) == 1


def test_migration_without_a_lock_is_tried_again_until_it_gets_one(
    cluster: KubernetesCluster, stand_in: ClusterStandIn
) -> None:
    stand_in.endings = ["canceling statement due to lock timeout"] * 3
    told: list[str] = []
    cluster.migrate(RELEASE, REVISIONS, told.append)
    assert len(stand_in.created) == 4
    assert [line for line in told if "no lock" in line] == [
        f"no lock: trying again after {n} of 8 tries" for n in (1, 2, 3)
    ]


def test_migration_that_never_gets_its_lock_fails(cluster: KubernetesCluster, stand_in: ClusterStandIn) -> None:
    stand_in.endings = ["canceling statement due to lock timeout"] * 20
    with pytest.raises(OperationError, match="lock timeout"):
        cluster.migrate(RELEASE, REVISIONS, lambda _: None)
    assert len(stand_in.created) == kubernetes_cluster.LOCK_ATTEMPTS


def test_failed_migration_says_its_last_line_without_the_password_and_is_not_retried(
    cluster: KubernetesCluster, stand_in: ClusterStandIn
) -> None:
    stand_in.endings = ["cannot reach postgresql://orders:hunter2@10.0.0.1/orders"]
    with pytest.raises(OperationError, match="BackoffLimitExceeded") as caught:
        cluster.migrate(RELEASE, REVISIONS, lambda _: None)
    assert "cannot reach postgresql://orders:***@10.0.0.1/orders" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert len(stand_in.created) == 1


def deployment(**status: int) -> dict[str, Any]:
    labels = {"app": "orders"}
    return {
        "metadata": {"name": "orders-blue", "generation": 3},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**labels, "slipway.dev/release": "r-7"}},
                "spec": {"containers": [{"name": "app"}]},
            },
        },
        "status": status,
    }


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, False),
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2}, False),
        ({}, False),
    ],
)
def test_deployment_is_ready_when_every_pod_is_of_the_newest_template(
    cluster: KubernetesCluster, stand_in: ClusterStandIn, status: dict[str, int], ready: bool
) -> None:
    stand_in.deployments["orders-blue"] = deployment(**status)
    stand_in.pods = [
        pod("new", "10.90.0.7"),
        pod("starting", "10.90.0.8", ready=False),
        pod("old", "10.90.0.9", leaving=True),
    ]
    found = cluster.pods(Colour.BLUE)
    assert found
    assert found == Pods(wanted=2, ready=ready, addresses=frozenset({"10.90.0.7"}), release="r-7", mixed=found.mixed)
    assert cluster.pods(Colour.GREEN) is None


@pytest.mark.parametrize(
    ("status", "mixed"),
    [
        ({"observedGeneration": 3, "replicas": 30, "updatedReplicas": 30, "availableReplicas": 28}, False),
        ({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
    ],
)
def test_missing_pods_are_told_from_pods_of_an_older_template(
    cluster: KubernetesCluster, stand_in: ClusterStandIn, status: dict[str, int], mixed: bool
) -> None:
    stand_in.deployments["orders-blue"] = deployment(**status)
    found = cluster.pods(Colour.BLUE)
    assert found
    assert found.mixed is mixed


def container(state: dict[str, Any], last: dict[str, Any] | None = None, *, restarts: int = 0) -> dict[str, Any]:
    told = {"name": "orders", "image": "", "imageID": "", "ready": False, "restartCount": restarts, "state": state}
    return told | ({"lastState": last} if last else {})


CRASHED = {"terminated": {"exitCode": 1, "reason": "Error"}}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
NO_IMAGE = {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes: no memory"}


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ({"containerStatuses": [container({"waiting": {"reason": "ContainerCreating"}})]}, ""),
        ({"containerStatuses": [container({"running": {}})]}, ""),
        (
            {"containerStatuses": [container(BACK_OFF, CRASHED, restarts=4)]},
            "orders: CrashLoopBackOff, ended with exit code 1 (Error), 4 restarts",
        ),
        (
            {"containerStatuses": [container({"running": {}}, KILLED, restarts=1)]},
            "orders: ended with exit code 137 (OOMKilled), 1 restarts",
        ),
        ({"initContainerStatuses": [container(NO_IMAGE)]}, "orders: ImagePullBackOff, manifest unknown"),
        ({"conditions": [UNSCHEDULED]}, "pending: 0/2 nodes: no memory"),
    ],
)
def test_what_keeps_pods_of_the_newest_template_from_their_start_is_told(
    cluster: KubernetesCluster, stand_in: ClusterStandIn, status: dict[str, Any], trouble: str
) -> None:
    """A release whose pods crashed said for ten minutes that no target was healthy, and not why."""
    stand_in.deployments["orders-blue"] = deployment()
    found = {"metadata": {"name": "new", "labels": {"slipway.dev/release": "r-7"}}, "status": status}
    former = {"metadata": {"name": "old"}, "status": {"containerStatuses": [container(BACK_OFF, CRASHED, restarts=9)]}}
    stand_in.pods = [former, found]
    pods = cluster.pods(Colour.BLUE)
    assert pods
    assert pods.trouble == (f"1 of 1 pods not ready: {trouble}" if trouble else "")


@pytest.mark.parametrize(
    ("status", "crash_loop"),
    [
        ({"containerStatuses": [container(BACK_OFF, CRASHED, restarts=3)]}, True),
        ({"containerStatuses": [container(BACK_OFF, KILLED, restarts=9)]}, True),
        ({"initContainerStatuses": [container(BACK_OFF, CRASHED, restarts=3)]}, True),
        ({"containerStatuses": [container(BACK_OFF, CRASHED, restarts=2)]}, False),
        ({"containerStatuses": [container({"running": {}}, CRASHED, restarts=9)]}, False),
        ({"containerStatuses": [container(NO_IMAGE, CRASHED, restarts=9)]}, False),
    ],
)
def test_pods_that_end_after_each_of_some_restarts_are_in_a_crash_loop(
    cluster: KubernetesCluster, stand_in: ClusterStandIn, status: dict[str, Any], crash_loop: bool
) -> None:
    stand_in.deployments["orders-blue"] = deployment()
    former = {"metadata": {"name": "old"}, "status": {"containerStatuses": [container(BACK_OFF, CRASHED, restarts=9)]}}
    stand_in.pods = [former, {"metadata": {"name": "new", "labels": {"slipway.dev/release": "r-7"}}, "status": status}]
    pods = cluster.pods(Colour.BLUE)
    assert pods
    assert pods.crash_loop is crash_loop


def scaler(minimum: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "orders-blue"},
        "spec": {
            "minReplicas": minimum,
            "maxReplicas": 40,
            "scaleTargetRef": {"kind": "Deployment", "name": "orders-blue"},
        },
    }


def unscheduled(name: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu"}
    return running(name, "", "0") | {"status": {"phase": "Pending", "conditions": [condition]}}


def running(
    name: str, node: str, cpu: str, *, memory: str = "100Mi", owner: str = "", namespace: str = "orders"
) -> Any:
    owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "x", "uid": "1"}] if owner else []
    requests = {"cpu": cpu, "memory": memory}
    return {
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": owners},
        "spec": {"nodeName": node, "containers": [{"name": "app", "resources": {"requests": requests}}]},
        "status": {"phase": "Running", "conditions": []},
    }


def node(name: str, *, ready: str = "True", cordoned: bool = False, pods: str = "17") -> Any:
    return {
        "metadata": {"name": name},
        "spec": {"unschedulable": cordoned},
        "status": {
            "allocatable": {"cpu": "1930m", "memory": "3Gi", "pods": pods},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def test_size_is_what_the_deployment_and_its_autoscaler_say(
    cluster: KubernetesCluster, stand_in: ClusterStandIn
) -> None:
    assert cluster.size(Colour.BLUE) is None
    stand_in.deployments["orders-blue"] = deployment(readyReplicas=1)
    assert cluster.size(Colour.BLUE) is None, "no autoscaler has it"
    stand_in.scalers["orders-blue"] = scaler(15)
    stand_in.pods = [pod("pod-1", "10.90.0.7"), unscheduled("pod-2"), unscheduled("pod-3")]
    assert cluster.size(Colour.BLUE) == Size(
        ready=1, wanted=2, minimum=15, declared=2, maximum=40, waiting="2 pods are pending: Insufficient cpu"
    )


def test_autoscaler_is_told_its_minimum_and_the_deployment_has_it_at_once(
    cluster: KubernetesCluster, stand_in: ClusterStandIn
) -> None:
    stand_in.deployments["orders-blue"], stand_in.scalers["orders-blue"] = deployment(readyReplicas=2), scaler(2)
    cluster.keep(Colour.BLUE, 15)
    by_us = "fieldManager=slipway"
    assert stand_in.patches == [
        ("autoscaler", by_us, {"spec": {"minReplicas": 15}}),
        ("scale", by_us, {"spec": {"replicas": 15}}),
    ]
    found = cluster.size(Colour.BLUE)
    assert found
    assert (found.minimum, found.wanted) == (15, 15)
    cluster.keep(Colour.BLUE, 2)
    assert stand_in.patches[2:] == [("autoscaler", by_us, {"spec": {"minReplicas": 2}})], (
        "it shrinks as it thinks right"
    )
    with pytest.raises(OperationError, match="cannot change the autoscaler orders-green: 404"):
        cluster.keep(Colour.GREEN, 15)


def test_room_is_what_nodes_have_left_and_nodes_that_may_be_added(
    cluster: KubernetesCluster, stand_in: ClusterStandIn
) -> None:
    assert cluster.room(Colour.BLUE) is None
    blue = deployment(readyReplicas=2)
    blue["spec"]["template"]["spec"] = running("x", "", "500m", memory="256Mi")["spec"]
    stand_in.deployments["orders-blue"] = blue
    stand_in.nodes = [node("a"), node("b", cordoned=True)]
    stand_in.everything = [
        running("orders-1", "a", "500m"),
        running("dns", "a", "100m", namespace="kube-system"),
        running("cni", "a", "50m", owner="DaemonSet", namespace="kube-system"),
    ]
    # a: 1930 - 650 = 1280 m, so 2 pods; one more node, with its daemon: 1880 m, so 3 pods.
    assert cluster.room(Colour.BLUE) == Room(fits=5, nodes=2, maximum_nodes=3)
    stand_in.nodes = [node("a", pods="4"), node("b", ready="False"), node("c", ready="Unknown")]
    stand_in.everything += [unscheduled("orders-2"), unscheduled("orders-3")]
    assert cluster.room(Colour.BLUE) == Room(fits=0, pending=2, because="Insufficient cpu", nodes=3, maximum_nodes=3)


def test_cluster_that_does_not_answer_is_an_error_with_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect() -> Any:
        configuration = kubernetes.Configuration()
        configuration.host, configuration.retries = "http://127.0.0.1:9", 0
        return kubernetes.ApiClient(configuration)

    names = {Colour.BLUE: "orders-blue", Colour.GREEN: "orders-green"}
    cluster = KubernetesCluster(connect, namespace="orders", service="orders", deployments=names, secret_name=None)
    with pytest.raises(OperationError, match="cannot read the Deployment orders-blue: the cluster does not answer"):
        cluster.pods(Colour.BLUE)
    with pytest.raises(NotBegunError, match="names no database secret"):
        cluster.migrate(RELEASE, REVISIONS, lambda _: None)


def test_backfill_is_started_looked_at_and_started_again_when_its_job_has_ended_without_being_complete(
    stand_in: ClusterStandIn, cluster: KubernetesCluster
) -> None:
    assert cluster.backfill("0003", "run-1") is None
    stand_in.endings = ["backfill 0003: id 5 of 20 (25%)"]
    cluster.start_backfill(RELEASE, "0003", "run-1")
    seen = cluster.backfill("0003", "run-1")
    assert seen
    assert (seen.done, seen.progress, "BackoffLimitExceeded" in seen.failure) == (False, "id 5 of 20 (25%)", True)
    assert cluster.backfill("0003", "run-2") is None
    cluster.start_backfill(RELEASE, "0003", "run-1")
    seen = cluster.backfill("0003", "run-1")
    assert seen
    assert "env.py does not know" in seen.failure
    cluster.start_backfill(RELEASE, "0003", "run-1")
    stand_in.log = "backfill 0003: id 20 of 20 (100%)\nbackfill 0003: complete"
    seen = cluster.backfill("0003", "run-1")
    assert seen
    assert seen.done
    assert [body["spec"]["backoffLimit"] for body in stand_in.created] == [6, 6, 6]
