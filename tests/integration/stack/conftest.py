"""A project of its own for each test, run by the real Pulumi CLI with our Python language host."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from project_kit import Project
from shop import Shop

from slipway.providers.server import ProviderServer
from slipway.sandbox.providers.framework.connections import Connections


@pytest.fixture
def project(cli_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An empty project, its providers attached, its state in files."""
    folder, things = tmp_path / "project", tmp_path / "things"
    for each in (folder, things, tmp_path / "state", tmp_path / "home"):
        each.mkdir()
    options = f"{{toolchain: pip, virtualenv: {Path(sys.prefix)}}}"
    (folder / "Pulumi.yaml").write_text(f"name: shop\nruntime: {{name: python, options: {options}}}\n")
    for name in [name for name in os.environ if name.startswith(("PULUMI_", "SLIPWAY_"))]:
        monkeypatch.delenv(name)
    servers: list[ProviderServer] = []

    def serve(*, adopts: bool = False) -> None:
        servers.append(ProviderServer(Connections(lambda _caller: Shop(things, adopts=adopts))))
        monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", f"shop:{servers[-1].port}")

    settings = {
        "PATH": f"{cli_folder}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": "correct horse",
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    serve()
    made = Project(folder, things, serve)
    made.write()
    yield made
    for server in servers:
        server.stop()
