"""Pulumi.<stack>.yaml: configuration values, read, checked against Pulumi.yaml and edited in place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from slipway.engine.project import Project
from slipway.engine.secrets import StackSecrets


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """The configuration of one stack, decrypted, with the project's defaults applied."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    """Full key -> text; objects and lists as JSON text, booleans `true`/`false`."""
    secret_keys: frozenset[str] = frozenset()
    """Full keys that hold a secret at any depth."""
    path: Path | None = None


def load_stack_config(project: Project, stack: str, secrets: StackSecrets) -> StackConfig:
    """Read, decrypt and validate. Raises one UsageError that names every fault by file and key, with its remedy.

    A missing file is an empty configuration. A salt in the file becomes `secrets`' own.
    """
    raise NotImplementedError


class StackConfigFile:
    """Edits one stack file and keeps its comments, order and quoting."""

    def __init__(self, project: Project, stack: str, secrets: StackSecrets) -> None:
        raise NotImplementedError

    def set(self, key: str, value: object, *, secret: bool = False) -> None:
        """Set a key (`name` or `namespace:name`); a secret is encrypted, and the file gets its salt."""
        raise NotImplementedError

    def remove(self, key: str) -> bool:
        """Remove a key; False: it was not there."""
        raise NotImplementedError

    def save(self) -> None:
        """Write the file: to a temporary name, then renamed."""
        raise NotImplementedError
