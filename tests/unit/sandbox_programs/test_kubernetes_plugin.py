"""Which Kubernetes provider the sandbox's Pulumi uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.sandbox.go_programs import KUBERNETES_PLUGIN, Binaries
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.pulumi.kubernetes_plugin import FOLDER, PROGRAM, install_kubernetes_plugin
from tests.unit.sandbox_programs.conftest import FakeGo, quietly


@pytest.fixture(autouse=True)
def users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's PULUMI_HOME, without plugins."""
    home = tmp_path / "users-pulumi"
    monkeypatch.setenv("PULUMI_HOME", str(home))
    return home


def put_plugin(home: Path, folder: str = FOLDER) -> Path:
    """As `pulumi plugin install` leaves it."""
    program = home / "plugins" / folder / PROGRAM
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_built_one_is_installed_where_the_engine_looks(go: FakeGo, paths: SandboxPaths) -> None:
    used = install_kubernetes_plugin(paths, quietly)

    installed = paths.pulumi_home / "plugins" / FOLDER / PROGRAM
    assert used == Binaries(paths).path(PROGRAM)
    assert installed.resolve() == used.resolve()
    # The engine passes over links to folders, and over folders with a `.partial` beside them.
    assert [path.name for path in installed.parent.parent.iterdir()] == [FOLDER]
    assert not installed.parent.is_symlink()
    assert len(go.calls("build")) == 1


def test_users_own_plugin_of_the_sdks_version_is_used_and_nothing_is_built(
    go: FakeGo, paths: SandboxPaths, users_home: Path
) -> None:
    own = put_plugin(users_home)
    assert install_kubernetes_plugin(paths, quietly) == own
    assert (paths.pulumi_home / "plugins" / FOLDER / PROGRAM).resolve() == own
    assert not go.calls("build")


@pytest.mark.parametrize("folder", ["resource-kubernetes-v4.0.0", f"{FOLDER}-alpha.1"])
def test_plugin_of_another_version_is_not_used(go: FakeGo, paths: SandboxPaths, users_home: Path, folder: str) -> None:
    put_plugin(users_home, folder)
    assert install_kubernetes_plugin(paths, quietly) == Binaries(paths).path(PROGRAM)


def test_plugin_that_is_being_unpacked_is_not_used(go: FakeGo, paths: SandboxPaths, users_home: Path) -> None:
    put_plugin(users_home)
    (users_home / "plugins" / f"{FOLDER}.partial").touch()
    assert install_kubernetes_plugin(paths, quietly) == Binaries(paths).path(PROGRAM)


def test_plugin_on_the_path_is_used(
    go: FakeGo, paths: SandboxPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = put_plugin(tmp_path)
    monkeypatch.setenv("PATH", f"{own.parent}:/usr/bin:/bin")
    assert install_kubernetes_plugin(paths, quietly) == own


def test_sandboxs_own_plugin_folder_is_kept_up_to_date(
    go: FakeGo, paths: SandboxPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_HOME", str(paths.pulumi_home))
    first = install_kubernetes_plugin(paths, quietly)
    go.set_version("go1.99.1")
    second = install_kubernetes_plugin(paths, quietly)

    assert first != second
    assert (paths.pulumi_home / "plugins" / FOLDER / PROGRAM).readlink() == second
    assert Binaries(paths).is_built(KUBERNETES_PLUGIN)


def test_provider_of_an_earlier_sandbox_is_removed(
    go: FakeGo, paths: SandboxPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = paths.programs / PROGRAM
    paths.programs.mkdir(parents=True)
    stale.write_text("#!/bin/sh\n")
    stale.chmod(0o755)
    monkeypatch.setenv("PATH", f"{paths.programs}:{go.folder / 'bin'}:/usr/bin:/bin")

    assert install_kubernetes_plugin(paths, quietly) == Binaries(paths).path(PROGRAM)
    # The engine prefers what is on the PATH.
    assert not stale.exists()
