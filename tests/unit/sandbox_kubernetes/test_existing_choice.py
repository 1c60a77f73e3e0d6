"""Which context stands for a cluster, and what is remembered of the choice to use existing ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipway.errors import UsageError
from slipway.sandbox.kubernetes import ClusterManager, open_clusters
from slipway.sandbox.kubernetes.existing.choice import choose_context
from slipway.sandbox.kubernetes.existing.manager import ExistingClusters
from slipway.sandbox.kubernetes.existing.setting import remembered_kubeconfig, settle_kubeconfig
from slipway.sandbox.kubernetes.kubeconfig import isolate_context, load_credentials
from slipway.sandbox.kubernetes.state import ClusterBook
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable

CLUSTER = "orders-dev-1a2b3c4"
VARIABLE = "SLIPWAY_SANDBOX_KUBECONFIG"
KUBECONFIG = """
current-context: kind-dev
contexts:
- {name: kind-dev, context: {cluster: local, user: admin}}
- {name: proxied, context: {cluster: proxied, user: admin}}
- {name: basic, context: {cluster: local, user: basic}}
clusters:
- {name: local, cluster: {server: "https://127.0.0.1:1234", certificate-authority: pki/ca.pem}}
- {name: proxied, cluster: {server: "https://127.0.0.1:1234", proxy-url: "http://127.0.0.1:1"}}
users:
- {name: admin, user: {client-certificate: admin.pem, client-key: admin.key}}
- {name: basic, user: {username: admin, password: admin}}
"""


@pytest.mark.parametrize(
    ("contexts", "chosen"),
    [
        (["dev", "kind-dev", CLUSTER], CLUSTER),
        (["kind-staging", "kind-dev", "kind-prod"], "kind-dev"),
        (["k3d-dev", "kind-orders-dev"], "kind-orders-dev"),
        (["minikube", "dev"], "dev"),
        (["develop", "kind-de", "current"], "current"),
    ],
)
def test_context_is_named_as_the_cluster_or_as_a_part_of_it(contexts: list[str], chosen: str) -> None:
    assert choose_context(contexts, "current", CLUSTER, where="config") == chosen


def test_refuses_two_contexts_that_fit_as_well() -> None:
    with pytest.raises(UsageError, match=f"kind-dev and k3d-dev fit the cluster {CLUSTER} equally well"):
        choose_context(["kind-dev", "k3d-dev"], "kind-dev", CLUSTER, where="config")


@pytest.mark.parametrize("current", ["", "gone"])
def test_refuses_to_guess_when_no_context_fits_and_none_is_current(current: str) -> None:
    with pytest.raises(UsageError, match="none is current; there are: kind-staging"):
        choose_context(["kind-staging"], current, CLUSTER, where="config")


@pytest.fixture
def paths(tmp_path: Path) -> SandboxPaths:
    (tmp_path / "config").write_text(KUBECONFIG)
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/ca.pem").write_bytes(b"CA")
    (tmp_path / "admin.pem").write_bytes(b"CERTIFICATE")
    (tmp_path / "admin.key").write_bytes(b"KEY")
    return SandboxPaths(tmp_path)


def test_kubeconfig_is_remembered_when_the_variable_is_not_set_later(paths: SandboxPaths) -> None:
    config = paths.home / "config"
    assert settle_kubeconfig(paths, {}) is None
    assert isinstance(open_clusters(paths, ProcessTable(paths)), ClusterManager)

    assert settle_kubeconfig(paths, {VARIABLE: str(config)}) == config
    assert settle_kubeconfig(paths, {}) == config
    assert isinstance(open_clusters(paths, ProcessTable(paths)), ExistingClusters)

    assert settle_kubeconfig(paths, {VARIABLE: ""}) is None
    assert remembered_kubeconfig(paths) is None


def test_refuses_another_kubeconfig_while_there_are_clusters(paths: SandboxPaths) -> None:
    config, other = paths.home / "config", paths.home / "other"
    other.write_text(KUBECONFIG)
    settle_kubeconfig(paths, {VARIABLE: str(config)})
    ClusterBook(paths).allocate("orders-dev", "http://127.0.0.1/")

    assert settle_kubeconfig(paths, {VARIABLE: str(config)}) == config
    for said in (str(other), ""):
        with pytest.raises(UsageError, match=f"orders-dev stands on existing clusters of {config}") as refused:
            settle_kubeconfig(paths, {VARIABLE: said})
        assert f"set it to {config}" in refused.value.remedy
    assert remembered_kubeconfig(paths) == config


def test_refuses_an_existing_cluster_while_there_are_built_ones(paths: SandboxPaths) -> None:
    for name in ("orders-dev", "orders-prod"):
        ClusterBook(paths).allocate(name, "http://127.0.0.1/")

    with pytest.raises(UsageError, match="orders-dev, orders-prod are clusters that the sandbox built") as refused:
        settle_kubeconfig(paths, {VARIABLE: str(paths.home / "config")})
    assert refused.value.where == VARIABLE
    assert "slipway sandbox reset" in refused.value.remedy


def test_refuses_a_kubeconfig_that_is_not_there(paths: SandboxPaths) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        settle_kubeconfig(paths, {VARIABLE: str(paths.home / "none")})
    assert remembered_kubeconfig(paths) is None


def test_one_context_alone_is_good_in_another_folder(paths: SandboxPaths, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere/config"
    elsewhere.parent.mkdir()
    elsewhere.write_text(isolate_context(paths.home / "config", "kind-dev"))

    assert load_credentials(elsewhere) == load_credentials(paths.home / "config", "kind-dev")
    document = json.loads(elsewhere.read_text())
    assert [len(document[kind]) for kind in ("contexts", "clusters", "users")] == [1, 1, 1]


@pytest.mark.parametrize(("context", "key"), [("proxied", "proxy-url"), ("basic", "(username|password)")])
def test_refuses_what_of_a_kubeconfig_it_does_not_follow(paths: SandboxPaths, context: str, key: str) -> None:
    with pytest.raises(UsageError, match=f"the context {context} has {key}, which the sandbox does not follow"):
        isolate_context(paths.home / "config", context)
