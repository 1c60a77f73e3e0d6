"""The folder of a test's Pulumi project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shop import PROGRAM

from slipway.stack import PulumiStack, find_cli


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
