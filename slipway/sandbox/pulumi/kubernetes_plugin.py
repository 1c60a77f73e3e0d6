"""The Kubernetes provider: an installed plugin of the SDK's version, or the one that is built from its Go module.

A plugin on the PATH needs nothing: the engine prefers it to all others, and says so.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from slipway.sandbox.go_programs import KUBERNETES_PLUGIN, KUBERNETES_PLUGIN_VERSION, Binaries
from slipway.sandbox.go_programs.toolchain import Progress
from slipway.sandbox.paths import SandboxPaths

PROGRAM = "pulumi-resource-kubernetes"
FOLDER = f"resource-kubernetes-v{KUBERNETES_PLUGIN_VERSION}"
"""Named as the engine names it: it takes a plugin of exactly the SDK's version."""


def find_kubernetes_plugin(paths: SandboxPaths) -> Path | None:
    """The user's own plugin: on the PATH, or in the user's plugin folder with the SDK's version."""
    # Without the sandbox's own folder: an earlier version of the sandbox put a provider of its own there.
    folders = [name for name in os.environ.get("PATH", os.defpath).split(os.pathsep) if name != str(paths.programs)]
    if on_path := shutil.which(PROGRAM, path=os.pathsep.join(folders)):
        return Path(on_path)
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi").expanduser()
    folder = home / "plugins" / FOLDER
    # The engine writes this file while it unpacks a plugin.
    unfinished = folder.with_name(f"{FOLDER}.partial").exists()
    program = folder / PROGRAM
    return program if program.is_file() and not unfinished else None


def install_kubernetes_plugin(paths: SandboxPaths, progress: Progress | None = None) -> Path:
    """Put the provider into the sandbox's plugin folder, and return what is used. Builds it when the user has none."""
    installed = paths.pulumi_home / "plugins" / FOLDER / PROGRAM
    found = find_kubernetes_plugin(paths)
    (paths.programs / PROGRAM).unlink(missing_ok=True)
    if found is not None and found != installed:
        source = found
    else:
        binaries = Binaries(paths)
        binaries.prepare(progress, only=(KUBERNETES_PLUGIN,))
        source = binaries.path(PROGRAM)
    _link(installed, source)
    return source


def _link(installed: Path, source: Path) -> None:
    """The folder must be a true one: the engine passes over links to folders."""
    if installed.is_symlink() and installed.readlink() == source:
        return
    if installed.parent.is_symlink() or installed.parent.is_file():
        installed.parent.unlink()
    installed.parent.mkdir(parents=True, exist_ok=True)
    # Renamed into place: a `pulumi up` may run meanwhile.
    with tempfile.TemporaryDirectory(dir=installed.parent.parent, prefix=".link-") as scratch:
        link = Path(scratch) / PROGRAM
        link.symlink_to(source)
        link.replace(installed)
