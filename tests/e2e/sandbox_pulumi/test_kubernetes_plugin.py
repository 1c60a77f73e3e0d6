"""The Kubernetes provider that the sandbox builds: upstream's own, with a small stand-in for its Go SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from pulumi import automation
from pulumi_kubernetes.helm.v4 import Chart, PostRendererArgs, RepositoryOptsArgs
from pulumi_kubernetes.kustomize.v2 import Directory
from pulumi_kubernetes.yaml.v2 import ConfigFile, ConfigGroup

from tests.e2e.sandbox_pulumi.conftest import Deployed, Kubectl

KINDS = Path(__file__).parent / "kinds"
PAUSE, COREDNS = "slipway.local/pause:1", "slipway.local/coredns:1"
"""Images that every node has. The second ends by itself when it is asked for its version."""

Deploy = Callable[[Callable[[], None]], Deployed]


def provider(kubeconfig: Path) -> kubernetes.Provider:
    return kubernetes.Provider("cluster", kubeconfig=kubeconfig.read_text())


def application(kubeconfig: Path, greeting: str) -> None:
    """A namespace with something of every kind that is waited for."""
    options = pulumi.ResourceOptions(provider=provider(kubeconfig))
    namespace = kubernetes.core.v1.Namespace("app", opts=options)
    metadata = kubernetes.meta.v1.ObjectMetaArgs(namespace=namespace.metadata.name)
    settings = kubernetes.core.v1.ConfigMap("settings", metadata=metadata, data={"greeting": greeting}, opts=options)
    labels = {"app": "web"}
    container = {
        "name": "web",
        "image": PAUSE,
        "env": [
            {
                "name": "GREETING",
                "value_from": {"config_map_key_ref": {"name": settings.metadata.name, "key": "greeting"}},
            }
        ],
    }
    deployment = kubernetes.apps.v1.Deployment(
        "web",
        metadata=metadata,
        spec={
            "replicas": 2,
            "selector": {"match_labels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        opts=options,
    )
    kubernetes.core.v1.Service(
        "web",
        metadata=metadata,
        spec={"selector": labels, "ports": [{"port": 80, "target_port": 8080}]},
        opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[deployment])),
    )
    job = {"containers": [{"name": "once", "image": COREDNS, "args": ["-version"]}], "restart_policy": "Never"}
    kubernetes.batch.v1.Job("once", metadata=metadata, spec={"template": {"spec": job}}, opts=options)


def test_application_goes_up_changes_and_comes_down(deploy: Deploy, kubeconfig: Path, kubectl: Kubectl) -> None:
    greeting = "hello"
    deployed = deploy(lambda: application(kubeconfig, greeting))

    assert deployed.up() == {"create": 7}
    assert deployed.preview() == {"same": 7}
    assert json.loads(kubectl("get", "jobs", "-A", "-o", "json"))["items"][0]["status"]["succeeded"] == 1

    greeting = "good evening"
    changes = deployed.up()
    # The map has a name of the provider's making: it is replaced, and the pods that name it follow.
    assert changes["replace"] == 1
    assert changes["update"] >= 1
    assert deployed.preview() == {"same": 7}
    maps = json.loads(kubectl("get", "configmaps", "-A", "-o", "json"))["items"]
    assert [found["data"] for found in maps if found["metadata"]["name"].startswith("settings-")] == [
        {"greeting": greeting}
    ]

    deployed.destroy()
    assert not [name for name in kubectl("get", "namespaces", "-o", "name").split() if "/app-" in name]
    assert "warning" not in deployed.said


def test_kinds_that_make_others_make_them(deploy: Deploy, kubeconfig: Path, kubectl: Kubectl) -> None:
    def program() -> None:
        options = pulumi.ResourceOptions(providers=[provider(kubeconfig)])
        ConfigFile("file", file=str(KINDS / "manifests.yaml"), opts=options)
        ConfigGroup(
            "group",
            objs=[{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "grouped"}}],
            opts=options,
        )
        # The chart is piped through a command: nested inputs of the component arrive, too.
        loud = PostRendererArgs(command="sed", args=["s/bonjour/BONJOUR/"])
        Chart("chart", chart=str(KINDS / "chart"), values={"greeting": "bonjour"}, post_renderer=loud, opts=options)
        Directory("directory", directory=str(KINDS / "kustomize"), opts=options)

    deployed = deploy(program)
    made = deployed.up()

    # The stack, the provider, four components, and what they make.
    assert made == {"create": 2 + 4 + 4 + 1 + 1 + 1}
    assert deployed.preview() == {"same": made["create"]}
    assert kubectl("get", "configmap", "chart-greeting", "-o", "jsonpath={.data.greeting}") == "BONJOUR"
    assert kubectl("get", "configmap", "listed", "kustomized-settings", "-o", "name").split() == [
        "configmap/listed",
        "configmap/kustomized-settings",
    ]
    assert kubectl("get", "greeting.example.com", "hello", "-o", "jsonpath={.spec.text}") == "hello"
    state = deployed.state()
    assert "kubernetes:core/v1:Secret::file:default/from-file" in state
    assert "kubernetes:example.com/v1:Greeting::file:default/hello" in state
    assert "not-to-be-shown" not in state
    assert "warning" not in deployed.said


def test_refuses_a_chart_whose_repository_does_not_answer(deploy: Deploy, kubeconfig: Path) -> None:
    def program() -> None:
        options = pulumi.ResourceOptions(providers=[provider(kubeconfig)])
        repository = RepositoryOptsArgs(repo="http://127.0.0.1:9")
        Chart("chart", chart="greeting", repository_opts=repository, opts=options)

    with pytest.raises(automation.CommandError, match=r"127\.0\.0\.1:9"):
        deploy(program).preview()
