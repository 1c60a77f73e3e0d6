"""An existing cluster's life under the sandbox: adopted, used, let go, and every reason not to touch it.

Not proven here: routes through real links (test_existing_routes.py), nor that a real node can pull.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cluster_kit import LOCAL, FakeCluster, node, pod
from endpoint_kit import free_port

from slipway.errors import NotFoundError, OperationError, UsageError
from slipway.sandbox.kubernetes.existing import address, manager
from slipway.sandbox.kubernetes.existing.manager import ExistingClusters
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable

WEBHOOK = "http://127.0.0.1:9/review/"
FAR = "203.0.113.77"
"""Of TEST-NET-3: on no network of any machine."""


@pytest.fixture
def clusters(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExistingClusters]:
    monkeypatch.setattr(address, "FIRST_PORT", free_port())
    monkeypatch.setattr(manager, "push_image", lambda: None)
    paths = SandboxPaths(tmp_path / "home")
    made = ExistingClusters(paths, ProcessTable(paths), tmp_path / "config")
    yield made
    made.pause_all()


def test_cluster_is_adopted_used_and_let_go(clusters: ExistingClusters, cluster: FakeCluster, tmp_path: Path) -> None:
    info = clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)

    trust = ssl.create_default_context(cadata=info.ca_pem)
    assert httpx.get(f"{info.endpoint}/api", verify=trust, trust_env=False).status_code == 401
    assert (info.version, info.nodes) == ("1.33", ())
    document = json.loads(info.admin_kubeconfig.read_text())
    assert document["current-context"] == "kind-dev"
    assert info.admin_kubeconfig.stat().st_mode & 0o777 == 0o600
    assert {method for method, _ in cluster.written} == {"PATCH"}
    assert {body["metadata"]["labels"]["app.kubernetes.io/managed-by"] for body in cluster.bodies} == {
        "slipway-sandbox"
    }

    assert clusters.add_node_group(info.name, "workers", 2) == ["kind-control-plane"]
    assert cluster.written[-1][0] == "DELETE"

    cluster.written.clear()
    clusters.delete(info.name)
    owned = "labelSelector=app.kubernetes.io/managed-by%3Dslipway-sandbox"
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    assert cluster.written == [
        ("DELETE", f"{rbac}/clusterrolebindings?{owned}"),
        ("DELETE", f"{rbac}/clusterroles?{owned}"),
    ]
    assert clusters.names() == []
    with pytest.raises(NotFoundError):
        clusters.info(info.name)
    with contextlib.closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", address.endpoint_port(0))) != 0


def test_endpoint_is_the_same_after_a_pause(clusters: ExistingClusters) -> None:
    before = clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)
    clusters.pause_all()
    clusters.resume()

    assert clusters.info(before.name) == before
    trust = ssl.create_default_context(cadata=before.ca_pem)
    assert httpx.get(f"{before.endpoint}/api", verify=trust, trust_env=False).status_code == 401


def test_refuses_a_second_eks_cluster_on_the_same_existing_one(clusters: ExistingClusters) -> None:
    clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)

    with pytest.raises(UsageError, match=r"stands for orders-dev-1a2b3c4 already, and orders-prod-5d6e7f8 needs one"):
        clusters.create("orders-prod-5d6e7f8", token_webhook_url=WEBHOOK)
    assert clusters.names() == ["orders-dev-1a2b3c4"]


def test_refuses_a_user_who_is_no_administrator(clusters: ExistingClusters, cluster: FakeCluster) -> None:
    cluster.administrator = False

    with pytest.raises(UsageError, match="does not administer the cluster"):
        clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)
    assert cluster.written == []


def test_refuses_a_cluster_of_another_place_before_anything_is_written(
    clusters: ExistingClusters, cluster: FakeCluster
) -> None:
    cluster.nodes = [node("ip-10-0-0-1", FAR, "10.245.1.0/24")]

    with pytest.raises(UsageError, match=rf"node ip-10-0-0-1 \({FAR}\) is on no network of this machine"):
        clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)
    assert cluster.written == []
    assert clusters.names() == []


def test_refuses_a_far_node_whose_pods_answer_too(clusters: ExistingClusters, cluster: FakeCluster) -> None:
    with socket.create_server((LOCAL, 0)) as listener:
        cluster.nodes = [node("over-a-vpn", FAR)]
        cluster.pods = [pod("over-a-vpn", LOCAL, listener.getsockname()[1])]
        with pytest.raises(UsageError, match="over-a-vpn"):
            clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)
    assert cluster.written == []


def test_says_which_pods_do_not_answer(clusters: ExistingClusters, cluster: FakeCluster) -> None:
    closed = free_port()
    cluster.pods = [pod("kind-control-plane", LOCAL, closed)]

    with pytest.raises(OperationError, match=f"pods of node kind-control-plane do not answer.*{LOCAL}:{closed}"):
        clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)


def test_refuses_to_go_on_with_a_cluster_that_was_made_anew(clusters: ExistingClusters, cluster: FakeCluster) -> None:
    clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)
    cluster.uid, cluster.written = "99999999-0000", []

    with pytest.raises(OperationError, match="another cluster is behind the context now"):
        clusters.resume()
    assert cluster.written == []


def test_says_why_a_node_cannot_pull(clusters: ExistingClusters, cluster: FakeCluster) -> None:
    clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)
    cluster.pull_state = {"waiting": {"reason": "ErrImagePull", "message": "dial tcp 127.0.0.1:5000: refused"}}

    with pytest.raises(OperationError, match=r"cannot pull.*dial tcp 127\.0\.0\.1:5000: refused") as refused:
        clusters.add_node_group("orders-dev-1a2b3c4", "workers", 1)
    assert "let its container runtime pull 127.0.0.1:5000 from http://10.87.0.1:5000" in refused.value.remedy
    assert cluster.written[-1][0] == "DELETE"


def test_refuses_a_node_group_whose_labels_no_node_has(clusters: ExistingClusters) -> None:
    clusters.create("orders-dev-1a2b3c4", token_webhook_url=WEBHOOK)

    with pytest.raises(UsageError, match="no node of the existing cluster has the labels of node group gpu: gpu=yes"):
        clusters.add_node_group("orders-dev-1a2b3c4", "gpu", 1, labels={"gpu": "yes"})
