"""What a machine can lack and what can break: one error that says what, where and what to do, and the next run continues."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from slipway.errors import MachineError, OperationError, SlipwayError
from slipway.sandbox.go_programs import GROUPS, KUBERNETES_PLUGIN, PULUMI, Binaries, Group
from slipway.sandbox.go_programs import binaries as binaries_module
from slipway.sandbox.go_programs.groups import PAUSE, required_version
from slipway.sandbox.paths import SandboxPaths
from tests.unit.sandbox_programs.conftest import FakeGo, quietly


def test_refuses_when_go_is_not_installed(go: FakeGo, paths: SandboxPaths) -> None:
    (go.folder / "bin/go").unlink()
    with pytest.raises(MachineError) as caught:
        Binaries(paths).prepare(quietly)
    assert "Go is not installed" in str(caught.value)
    assert f"Install Go {required_version('go')} or newer" in caught.value.remedy


@pytest.mark.parametrize("version", ["go1.26.5", "go1.25.12", "go1.9"])
def test_refuses_an_older_go_than_the_modules_need(go: FakeGo, paths: SandboxPaths, version: str) -> None:
    go.set_version(version)
    with pytest.raises(
        MachineError, match=rf"Go {version[2:]} is too old: {required_version('go')} is needed"
    ) as caught:
        Binaries(paths).prepare(quietly)
    assert caught.value.where == str(go.folder / "bin/go")
    assert not go.calls("build")


def test_refuses_when_the_disk_is_nearly_full(go: FakeGo, paths: SandboxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries_module, "FREE_DISK_MIB", 4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=100 << 20))
    with pytest.raises(MachineError, match="100 MiB are free, and a build from source needs 4096") as caught:
        Binaries(paths).prepare(quietly)
    assert "SLIPWAY_HOME" in caught.value.remedy
    assert not go.calls("build")


NO_DISK = "k8s.io/api/core/v1\nwrite /tmp/go-build1/b2/_pkg_.a: no space left on device\n"
NO_NETWORK = (
    'go: k8s.io/api@v0.35.4: Get "https://proxy.example/k8s.io/api/@v/v0.35.4.zip": dial tcp: lookup: no such host'
)
REFUSED = "go: k8s.io/api@v0.35.4: reading https://proxy.example/k8s.io/api: 403 Forbidden"
OTHER = "fmt\n# pause\n./main.go:3:8: undefined: nothing\nsort\n"


@pytest.mark.parametrize(
    ("output", "error", "remedy"),
    [
        (NO_DISK, MachineError("the disk is full"), "GOCACHE"),
        (NO_NETWORK, MachineError("cannot be downloaded"), "GOPROXY"),
        (REFUSED, MachineError("cannot be downloaded"), "GOPROXY"),
        ("verifying k8s.io/api@v0.35.4: checksum mismatch", OperationError("is damaged"), "go clean -modcache"),
        ("k8s.io/api/core/v1: compile: signal: killed", MachineError("lack of memory"), "4 GiB"),
        ("open /root/.cache/go-build/00: permission denied", MachineError("cannot be written"), "GOCACHE"),
        ("main.go:3:8: could not import fmt (EOF)", OperationError("build cache is damaged"), "go clean -cache"),
        (OTHER, OperationError("failed:\n# pause\n./main.go:3:8: undefined: nothing\n"), "go clean -cache -modcache"),
    ],
)
def test_failed_build_says_why_and_the_next_run_continues(
    go: FakeGo, paths: SandboxPaths, output: str, error: SlipwayError, remedy: str
) -> None:
    go.fail_with(output)
    binaries = Binaries(paths)
    with pytest.raises(type(error), match=error.what) as caught:
        binaries.prepare(quietly, only=(PAUSE,))
    assert remedy in caught.value.remedy
    assert caught.value.where == "./pause"
    assert not binaries.folder(PAUSE).exists()

    go.work_again()
    binaries.prepare(quietly, only=(PAUSE,))
    assert binaries.is_built(PAUSE)


def test_build_that_was_killed_half_way_is_built_by_the_next_run(go: FakeGo, paths: SandboxPaths) -> None:
    os.mkfifo(go.folder / "held")
    os.mkfifo(go.folder / "release")
    program = (
        "from pathlib import Path; from slipway.sandbox.go_programs import binaries, groups, Binaries;"
        "from slipway.sandbox.paths import SandboxPaths; binaries.FREE_DISK_MIB = 1;"
        f"Binaries(SandboxPaths(Path({str(paths.home)!r}))).prepare(print, only=(groups.PAUSE,))"
    )
    builder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    compiler = int((go.folder / "held").read_text())
    builder.kill()
    builder.wait(20)
    os.kill(compiler, signal.SIGKILL)
    (go.folder / "held").unlink()
    work = paths.cache / "programs" / ".work"
    assert [path.name for root in work.iterdir() for path in root.iterdir() if path.name == "pause-out"]

    Binaries(paths).prepare(quietly, only=(PAUSE,))

    assert Binaries(paths).is_built(PAUSE)
    assert not list(work.iterdir())


def test_program_that_was_removed_from_the_cache_is_built_again(go: FakeGo, paths: SandboxPaths) -> None:
    binaries = Binaries(paths)
    binaries.prepare(quietly)
    binaries.path("kubectl").unlink()
    binaries.prepare(quietly)
    assert binaries.path("kubectl").is_file()
    assert [line.endswith("./kubernetes") for line in go.calls("build")[len(GROUPS) :]] == [True]


def test_file_in_place_of_a_groups_folder_is_replaced(go: FakeGo, paths: SandboxPaths) -> None:
    folder = Binaries(paths).folder(PAUSE)
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    Binaries(paths).prepare(quietly, only=(PAUSE,))
    assert Binaries(paths).is_built(PAUSE)


def test_refuses_a_cache_folder_that_is_none(go: FakeGo, paths: SandboxPaths) -> None:
    paths.cache.mkdir(parents=True)
    (paths.cache / "programs").write_text("")
    with pytest.raises(MachineError, match="the cache folder cannot be used") as caught:
        Binaries(paths).prepare(quietly)
    assert caught.value.where.startswith(str(paths.cache / "programs"))


def test_refuses_a_build_that_made_no_program(go: FakeGo, paths: SandboxPaths) -> None:
    text = (go.folder / "bin/go").read_text()
    (go.folder / "bin/go").write_text(text[: text.index("while ")])
    with pytest.raises(OperationError, match="without making pause"):
        Binaries(paths).prepare(quietly, only=(PAUSE,))
    assert not Binaries(paths).folder(PAUSE).exists()


@pytest.mark.parametrize(("group", "half"), [(KUBERNETES_PLUGIN, False), (PULUMI, False), (PULUMI, True)])
def test_refuses_a_patch_whose_text_is_not_there(go: FakeGo, paths: SandboxPaths, group: Group, half: bool) -> None:
    patch, *_ = group.patches
    source = go.folder / "modules" / patch.module.replace("/", "-") / patch.folder / patch.path
    source.write_text(patch.before if half else "another version of it\n")
    with pytest.raises(OperationError, match="not as the patch expects") as caught:
        Binaries(paths).prepare(quietly, only=(group,))
    assert caught.value.where.endswith(patch.path)
    assert not go.calls("build")
