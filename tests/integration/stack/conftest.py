"""A project of its own for each test, run by the real Pulumi CLI with our Python language host."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from shop import PROGRAM, Shop

from slipway.providers.server import ProviderServer
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.providers.framework.connections import Connections
from slipway.sandbox.pulumi.cli import have_cli
from slipway.stack import PulumiStack, find_cli


@pytest.fixture(scope="session")
def cli_folder() -> Path:
    """Where the built CLI is; built if it is not there."""
    return have_cli(SandboxPaths.from_environment()).parent


@dataclass
class Project:
    """A project folder, and what its Things are."""

    folder: Path
    things: Path
    serve: Callable[..., None]

    def write(self, program: str = PROGRAM, **config: object) -> None:
        """The program, and the stack file of `dev`."""
        (self.folder / "__main__.py").write_text(program)
        lines = [f"  shop:{key}: {value}" for key, value in config.items()]
        (self.folder / "Pulumi.dev.yaml").write_text("\n".join(["config:", *lines]) if lines else "config: {}\n")

    def stack(self, **options: bool) -> PulumiStack:
        return PulumiStack(find_cli, self.folder, "dev", **options)

    def made(self) -> list[str]:
        """Names of the Things that exist, once for each."""
        return sorted(path.stem.rpartition("-")[0] for path in self.things.glob("*.thing"))


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
