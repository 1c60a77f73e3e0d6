"""The Kubernetes provider that the sandbox builds: upstream's own, with a small stand-in for its Go SDK."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from pulumi import automation
from pulumi_kubernetes.helm.v4 import Chart, PostRendererArgs, RepositoryOptsArgs
from pulumi_kubernetes.kustomize.v2 import Directory
from pulumi_kubernetes.yaml.v2 import ConfigFile, ConfigGroup

from slipway.sandbox.go_programs import KUBERNETES_PLUGIN_VERSION, Binaries
from slipway.sandbox.go_programs.groups import NEWER_SETTINGS
from slipway.sandbox.paths import SandboxPaths
from tests.e2e.sandbox_pulumi.conftest import Deployed, Kubectl

KINDS = Path(__file__).parent / "kinds"
PAUSE, COREDNS = "slipway.local/pause:1", "slipway.local/coredns:1"
"""Images that every node has. The second ends by itself when it is asked for its version."""

# Pulumi's SDK leaves the event loop of an inline program open when its preview fails.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

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
    assert "warning" not in deployed.previewed


def test_kinds_that_make_others_make_them(deploy: Deploy, kubeconfig: Path, kubectl: Kubectl) -> None:
    def program() -> None:
        cluster = provider(kubeconfig)
        options = pulumi.ResourceOptions(providers=[cluster])
        ConfigFile("file", file=str(KINDS / "manifests.yaml"), opts=options)
        ConfigGroup(
            "group",
            objs=[{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "grouped"}}],
            opts=options,
        )
        # The chart is piped through a command: nested inputs of the component arrive, too.
        loud = PostRendererArgs(command="sed", args=["s/bonjour/BONJOUR/"])
        Chart("chart", chart=str(KINDS / "chart"), values={"greeting": "bonjour"}, post_renderer=loud, opts=options)
        kubernetes.helm.v3.Release(
            "release", name="released", chart=str(KINDS / "chart"), opts=pulumi.ResourceOptions(provider=cluster)
        )
        Directory("directory", directory=str(KINDS / "kustomize"), opts=options)

    deployed = deploy(program)
    made = deployed.up()

    # The stack, the provider, a release, four components, and what they make.
    assert made == {"create": 2 + 1 + 4 + 4 + 1 + 1 + 1}
    assert deployed.preview() == {"same": made["create"]}
    assert kubectl("get", "configmap", "chart-greeting", "-o", "jsonpath={.data.greeting}") == "BONJOUR"
    assert kubectl("get", "configmap", "released-greeting", "-o", "jsonpath={.data.greeting}") == "hello"
    assert kubectl("get", "configmap", "listed", "kustomized-settings", "-o", "name").split() == [
        "configmap/listed",
        "configmap/kustomized-settings",
    ]
    assert kubectl("get", "greeting.example.com", "hello", "-o", "jsonpath={.spec.text}") == "hello"
    state = deployed.state()
    assert "kubernetes:core/v1:Secret::file:default/from-file" in state
    assert "kubernetes:example.com/v1:Greeting::file:default/hello" in state
    assert "not-to-be-shown" not in state
    assert "warning" not in deployed.previewed


def test_refuses_a_chart_whose_repository_does_not_answer(deploy: Deploy, kubeconfig: Path) -> None:
    def program() -> None:
        options = pulumi.ResourceOptions(providers=[provider(kubeconfig)])
        repository = RepositoryOptsArgs(repo="http://127.0.0.1:9")
        Chart("chart", chart="greeting", repository_opts=repository, opts=options)

    with pytest.raises(automation.CommandError, match=r"127\.0\.0\.1:9"):
        deploy(program).preview()


@pytest.mark.parametrize("setting", ["always_render", "enable_patch_force", "upsert_existing_objects"])
def test_refuses_a_setting_that_it_would_ignore(deploy: Deploy, kubeconfig: Path, setting: str) -> None:
    def program() -> None:
        kubernetes.Provider("cluster", kubeconfig=kubeconfig.read_text(), **{setting: True})

    with pytest.raises(
        automation.CommandError, match="does not know this setting: leave it out, or install the plugin"
    ):
        deploy(program).preview()


def test_every_setting_of_the_sdk_is_known_or_refused(paths: SandboxPaths, deploy: Deploy) -> None:
    deploy(lambda: None)
    argv = ["pulumi", "package", "get-schema", str(Binaries(paths).path("pulumi-resource-kubernetes"))]
    schema = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout)
    words = set(inspect.signature(kubernetes.ProviderArgs.__init__).parameters) - {"__self__"}
    known = {*schema["provider"]["inputProperties"], *NEWER_SETTINGS}

    assert schema["version"] == KUBERNETES_PLUGIN_VERSION
    assert {re.sub("_(.)", lambda found: found[1].upper(), word) for word in words} <= known
