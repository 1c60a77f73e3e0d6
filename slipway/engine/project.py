"""Pulumi.yaml: the project, its program and the types of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ConfigDeclaration:
    """One key of Pulumi.yaml's `config:`."""

    key: str
    """Full key, `namespace:name`."""
    type: str | None = None
    """`string`, `integer`, `boolean`, `array`, `object`; None: untyped (a key of a provider's namespace)."""
    items: Mapping[str, Any] | None = None
    description: str = ""
    default: Any = None
    value: Any = None
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class Project:
    """A loaded Pulumi.yaml."""

    name: str
    runtime: str
    root: Path
    """The folder of Pulumi.yaml."""
    runtime_options: Mapping[str, Any] = field(default_factory=dict)
    main: str = ""
    description: str = ""
    stack_config_dir: str = ""
    config: Mapping[str, ConfigDeclaration] = field(default_factory=dict)
    provider_paths: Mapping[str, Path] = field(default_factory=dict)
    """`plugins.providers`: folder of a local plugin by package name."""

    @property
    def program_directory(self) -> Path:
        """The working directory of the program: root joined with `main` (its folder, if `main` is a file)."""
        raise NotImplementedError

    @property
    def entry_point(self) -> Path:
        """The file or folder to run: `main`, else the root."""
        raise NotImplementedError

    def stack_config_path(self, stack: str) -> Path:
        """Pulumi.<stack>.yaml, in `stackConfigDir` if that is given."""
        raise NotImplementedError


def load_project(directory: Path) -> Project:
    """Read Pulumi.yaml (or .yml/.json) of `directory` or of its nearest parent. Raises UsageError."""
    raise NotImplementedError
