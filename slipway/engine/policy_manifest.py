"""PulumiPolicy.yaml: what says that a folder is a policy pack, and how it runs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from slipway.engine.yaml_text import load_yaml_mapping
from slipway.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class PackManifest:
    """A pack's PulumiPolicy.yaml."""

    version: str
    """"" when it says none."""
    python: str
    """The interpreter: of the pack's `virtualenv`, else this one."""


def read_manifest(directory: Path) -> PackManifest:
    """Raises UsageError when the folder holds no pack, or none in Python."""
    path = directory / "PulumiPolicy.yaml"
    if not path.is_file():
        raise UsageError("holds no PulumiPolicy.yaml", where=str(directory), remedy="name the folder of a policy pack")
    manifest = load_yaml_mapping(path)
    runtime: Any = manifest.get("runtime")
    details = cast(dict[str, Any], runtime) if isinstance(runtime, dict) else {"name": runtime}
    if details.get("name") != "python":
        raise UsageError(
            f"policy packs of runtime {details.get('name')!r} are not supported",
            where=str(path),
            remedy="use a Python pack",
        )
    options: Any = details.get("options")
    virtualenv = cast(dict[str, Any], options).get("virtualenv") if isinstance(options, dict) else None
    return PackManifest(
        version=str(manifest.get("version") or ""),
        python=str(directory / virtualenv / "bin" / "python") if virtualenv else sys.executable,
    )
