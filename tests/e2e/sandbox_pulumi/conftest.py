"""Programs on the built Pulumi command line and Kubernetes provider, against a cluster of the sandbox's."""

from __future__ import annotations

import gc
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pulumi import automation

from slipway.sandbox.go_programs import PULUMI, Binaries
from slipway.sandbox.kubernetes import ClusterManager
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.pulumi.kubernetes_plugin import install_kubernetes_plugin

Kubectl = Callable[..., str]


class Deployed:
    """A program of the test's as a stack, and what the engine wrote about its previews."""

    def __init__(self, program: Callable[[], None], environment: dict[str, str]) -> None:
        options = automation.LocalWorkspaceOptions(env_vars=environment)
        name = f"e2e-{uuid4().hex[:6]}"
        self._stack = automation.create_stack("test", name, program=program, opts=options)
        self.previewed = ""

    def up(self) -> dict[str, int]:
        """What was done to how many resources."""
        done = self._stack.up()
        return dict(done.summary.resource_changes or {})

    def preview(self) -> dict[str, int]:
        """What would be done."""
        seen = self._stack.preview()
        self.previewed += seen.stdout + seen.stderr
        return {str(operation): count for operation, count in seen.change_summary.items()}

    def destroy(self) -> None:
        """Remove everything."""
        self._stack.destroy()

    def state(self) -> str:
        """The checkpoint as JSON."""
        return json.dumps(self._stack.export_stack().deployment)


@pytest.fixture(scope="package")
def kubeconfig(paths: SandboxPaths) -> Iterator[Path]:
    """Of a cluster made for these tests."""
    manager = ClusterManager(paths, ProcessTable(paths))
    name = f"e2e-pulumi-{uuid4().hex[:6]}"
    try:
        made = manager.create(name, token_webhook_url=f"http://127.0.0.1:4566/_slipway/token-review/{name}")
        manager.add_node_group(name, "workers", 1)
        yield made.admin_kubeconfig
    finally:
        manager.delete(name)


@pytest.fixture
def kubectl(paths: SandboxPaths, kubeconfig: Path) -> Kubectl:
    """The cluster, seen by another client."""

    def run(*words: str) -> str:
        argv = [str(Binaries(paths).path("kubectl")), f"--kubeconfig={kubeconfig}", *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def deploy(
    paths: SandboxPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[], None]], Deployed]]:
    """Make a stack of a program; it is destroyed at the end, whatever became of the test."""
    binaries = Binaries(paths)
    binaries.prepare(print, only=(PULUMI,))
    install_kubernetes_plugin(paths, print)
    monkeypatch.setenv("PATH", f"{binaries.folder(PULUMI)}{os.pathsep}{os.environ['PATH']}")
    environment = {
        "PULUMI_HOME": str(paths.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "for a test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    made: list[Deployed] = []

    def call(program: Callable[[], None]) -> Deployed:
        made.append(Deployed(program, environment))
        return made[-1]

    yield call
    for deployed in made:
        deployed.destroy()
    # What the SDK leaves open is found here, and not in some later test.
    gc.collect()
