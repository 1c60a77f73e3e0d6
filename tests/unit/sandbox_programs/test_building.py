"""What is built, when it is built again, and for whom."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest
import yaml

from slipway.sandbox.aws.eks.models import DEFAULT_VERSION
from slipway.sandbox.go_programs import (
    CLUSTER_GROUPS,
    GO_FOLDER,
    GROUPS,
    KUBERNETES,
    KUBERNETES_PLUGIN,
    KUBERNETES_PLUGIN_VERSION,
    PULUMI,
    PULUMI_VERSION,
    Binaries,
    compiling,
    groups,
)
from slipway.sandbox.go_programs.groups import PAUSE, required_version
from slipway.sandbox.kubernetes.layout import KUBERNETES_VERSION
from slipway.sandbox.paths import SandboxPaths
from tests.unit.sandbox_programs.conftest import FakeGo


def test_everything_is_built_once(go: FakeGo, paths: SandboxPaths) -> None:
    binaries = Binaries(paths)
    binaries.prepare(lambda _text: None)
    binaries.prepare(lambda _text: None)

    assert [line.rsplit(" ", 1)[-1].rsplit("/", 1)[-1] for line in go.calls("build")] == [
        group.packages[-1].rsplit("/", 1)[-1] for group in GROUPS
    ]
    for group in GROUPS:
        for program in group.programs:
            assert binaries.path(program).is_file()
    assert binaries.path("kubelet").readlink() == Path("kubernetes")


def test_command_line_is_built_alone_with_its_language_host_beside_it(go: FakeGo, paths: SandboxPaths) -> None:
    binaries = Binaries(paths)
    binaries.prepare(lambda _text: None, only=(PULUMI,))

    (built,) = go.calls("build")
    assert f"version.Version={PULUMI_VERSION} " in built
    assert all(package in built for package in PULUMI.packages)
    for script in ("pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        path = binaries.path(script)
        assert path.parent == binaries.path("pulumi").parent
        assert os.access(path, os.X_OK)
    assert not binaries.is_built(KUBERNETES)


def test_kubernetes_plugin_embeds_the_modules_schema_with_the_sdks_version(
    go: FakeGo, paths: SandboxPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: dict[str, object] = {}
    build = compiling.go_build

    def spy(folder: Path, packages: tuple[str, ...], *arguments: Path, **options: object) -> None:
        for file in KUBERNETES_PLUGIN.embedded:
            name = file.path.rsplit("/", 1)[-1]
            embedded[name] = json.loads((folder / packages[0] / name).read_text())
        build(folder, packages, *arguments, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(compiling, "go_build", spy)
    Binaries(paths).prepare(lambda _text: None, only=(KUBERNETES_PLUGIN,))

    assert embedded == {
        "schema.json": {"name": "kubernetes", "version": KUBERNETES_PLUGIN_VERSION},
        "terraform-mapping.json": {"name": "kubernetes"},
    }
    assert f"main.version={KUBERNETES_PLUGIN_VERSION} " in go.calls("build")[0]
    assert not (GO_FOLDER / "pulumi-resource-kubernetes" / "schema.json").exists()


def test_progress_names_the_program(go: FakeGo, paths: SandboxPaths) -> None:
    told: list[str] = []
    Binaries(paths).prepare(told.append, only=(PAUSE,))
    assert told == ["pause: building from source"]


def test_another_go_builds_anew(go: FakeGo, paths: SandboxPaths) -> None:
    binaries = Binaries(paths)
    binaries.prepare(lambda _text: None, only=(PAUSE,))
    go.set_version("go1.99.1")
    assert not binaries.is_built(PAUSE)


@pytest.mark.parametrize(
    ("changed", "rebuilt"),
    [
        ("go.mod", {group.name for group in GROUPS}),
        ("go.sum", {group.name for group in GROUPS}),
        ("kubernetes/main.go", {"kubernetes"}),
        ("kubernetes-sdk/go/kubernetes/yaml/v2/register.go", {"pulumi-resource-kubernetes"}),
    ],
)
def test_changed_sources_rebuild_what_is_made_of_them(
    go: FakeGo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, rebuilt: set[str]
) -> None:
    sources = Path(shutil.copytree(GO_FOLDER, tmp_path / "sources"))
    monkeypatch.setattr(groups, "GO_FOLDER", sources)
    before = {group.name: groups.fingerprint(group) for group in GROUPS}

    with (sources / changed).open("a") as file:
        file.write("\n")
    groups.fingerprint.cache_clear()

    assert {group.name for group in GROUPS if groups.fingerprint(group) != before[group.name]} == rebuilt


def test_build_waits_for_the_same_build_of_another_process(go: FakeGo, paths: SandboxPaths) -> None:
    os.mkfifo(go.folder / "held")
    os.mkfifo(go.folder / "release")
    waiting = threading.Event()
    first = threading.Thread(target=lambda: Binaries(paths).prepare(lambda _text: None, only=(PAUSE,)))
    first.start()
    (go.folder / "held").read_text()
    (go.folder / "held").unlink()
    second = threading.Thread(
        target=lambda: Binaries(paths).prepare(lambda text: waiting.set() if "waiting" in text else None, only=(PAUSE,))
    )
    second.start()
    assert waiting.wait(20)
    (go.folder / "release").write_text("go on\n")
    first.join(20)
    second.join(20)

    assert len(go.calls("build")) == 1
    assert Binaries(paths).is_built(PAUSE)


def test_clusters_version_is_the_modules_and_what_eks_says() -> None:
    assert required_version("k8s.io/kubernetes").rsplit(".", 1)[0] == KUBERNETES_VERSION == DEFAULT_VERSION
    assert KUBERNETES in CLUSTER_GROUPS


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_stack_files_ask_for_the_version_that_runs(stack: str) -> None:
    document = yaml.safe_load((Path(__file__).parents[3] / f"Pulumi.{stack}.yaml").read_text())
    assert document["config"]["slipway:cluster"]["version"] == KUBERNETES_VERSION


def test_all_of_kubernetes_has_one_version() -> None:
    _, minor, patch = required_version("k8s.io/kubernetes").split(".")
    lines = [line.split() for line in (GO_FOLDER / "go.mod").read_text().splitlines() if "=> k8s.io/" in line]
    assert len(lines) > 20
    assert {line[-1] for line in lines} == {f"v0.{minor}.{patch}"}
