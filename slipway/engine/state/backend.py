"""Pulumi's file backend: stacks, locks, history and backups under `<root>/.pulumi`.

Layout version 1 (project-scoped): `stacks/<project>/<stack>.json[.gz|.zst]`, `history/…`, `backups/…`, `locks/organization/…`.
Version 0 (no `meta.yaml`, stacks directly in `stacks/`) is read and continued as it is. Beside them, `slipway/` holds the journals of
operations under way. Source: `pkg/backend/diy` of pulumi/pulumi.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import yaml

from slipway.engine.secrets import StackSecrets
from slipway.engine.state.files import STACK_SUFFIXES, is_set, read_bytes, write_atomically
from slipway.engine.state.history import UpdateRecord
from slipway.engine.state.store import StackPaths, StackStore
from slipway.errors import UsageError

__all__ = ["FileBackend", "StackListing", "StackStore", "UpdateRecord"]

_LAYOUT_VERSION = 1
_NAME = re.compile(r"^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}$")


@dataclass(frozen=True, kw_only=True)
class StackListing:
    """One stack of the backend."""

    project: str
    """"" in the legacy layout, which has no projects."""
    name: str
    last_update: datetime | None
    """When the state was last written; None for a stack that was never deployed."""
    resource_count: int | None


class FileBackend:
    """A `file://` backend."""

    def __init__(self, url: str, *, environ: Mapping[str, str] | None = None) -> None:
        """`url`: `file:///path`, `file://./relative`, `file://~`. Raises UsageError for another scheme or a newer layout.

        `environ`: passphrase and PULUMI_DIY_BACKEND_* settings; None: os.environ.
        """
        self._environ = os.environ if environ is None else environ
        self.url = url
        self.root = _root_of(url, self._environ)
        self.directory = self.root / ".pulumi"
        self.has_projects = self._read_layout()

    def stack(self, project: str, name: str) -> StackStore:
        """The store of one stack, whether or not it exists yet. Raises UsageError for an impossible name."""
        for what, text in (("project", project), ("stack", name)):
            if not _NAME.match(text):
                raise UsageError(
                    f"{text!r} is no {what} name",
                    remedy="use up to 100 letters, digits, hyphens, underscores and periods",
                )
        return StackStore(
            paths=StackPaths(self.directory, project if self.has_projects else "", name),
            environ=self._environ,
            secrets=StackSecrets(self._environ),
            ensure_layout=self._write_layout,
        )

    def stacks(self, project: str | None = None) -> Sequence[StackListing]:
        """All stacks, or those of one project, by project and name."""
        folder = self.directory / "stacks"
        names: set[tuple[str, str]] = set()
        for path in folder.glob("*/*.json*" if self.has_projects else "*.json*"):
            suffix = next((suffix for suffix in STACK_SUFFIXES if path.name.endswith(suffix)), None)
            if suffix is not None and path.is_file():
                owner = path.parent.name if self.has_projects else ""
                names.add((owner, path.name.removesuffix(suffix)))
        wanted = sorted(pair for pair in names if project is None or not self.has_projects or pair[0] == project)
        return [self._listing(*pair) for pair in wanted]

    def _listing(self, project: str, name: str) -> StackListing:
        store = StackStore(
            paths=StackPaths(self.directory, project, name),
            environ=self._environ,
            secrets=StackSecrets(self._environ),
            ensure_layout=self._write_layout,
        )
        last_update, count = store.summary()
        return StackListing(project=project, name=name, last_update=last_update, resource_count=count)

    def _read_layout(self) -> bool:
        """Whether stacks are scoped by project."""
        path = self.directory / "meta.yaml"
        data = read_bytes(path)
        if data is None:
            # Pulumi's rule: files directly in stacks/ and no meta.yaml are the layout from before projects.
            legacy = any((self.directory / "stacks").glob("*.json*"))
            wanted = is_set(
                self._environ, "PULUMI_DIY_BACKEND_LEGACY_LAYOUT", "PULUMI_SELF_MANAGED_STATE_LEGACY_LAYOUT"
            )
            return not legacy and not wanted
        try:
            meta: Any = yaml.safe_load(data)
        except yaml.YAMLError:
            meta = None
        version = cast(dict[str, Any], meta).get("version") if isinstance(meta, dict) else None
        if not isinstance(version, int):
            raise UsageError("corrupt store: no version", where=str(path), remedy="write `version: 1` into it")
        if version > _LAYOUT_VERSION:
            raise UsageError(
                f"the backend has layout {version}; this engine knows 0 and 1",
                where=str(path),
                remedy="use a newer slipway, or the Pulumi CLI",
            )
        return version == _LAYOUT_VERSION

    def _write_layout(self) -> None:
        path = self.directory / "meta.yaml"
        if self.has_projects and not path.exists():
            write_atomically(path, b"version: 1\n")


def _root_of(url: str, environ: Mapping[str, str]) -> Path:
    if not url:
        raise UsageError(
            "no backend: where the state is kept is not set",
            where="PULUMI_BACKEND_URL",
            remedy="set it, for example to file:///var/lib/slipway; or use the sandbox's: slipway --sandbox …",
        )
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise UsageError(
            f"the backend {url!r} is not supported",
            where="PULUMI_BACKEND_URL",
            remedy="set it to a file:// URL, or use the Pulumi CLI with this backend",
        )
    path = unquote(url.removeprefix("file://").partition("?")[0])
    if path == "~" or path.startswith("~/"):
        path = environ.get("HOME", str(Path.home())) + path[1:]
    if not path:
        raise UsageError("the backend's folder is missing", where="PULUMI_BACKEND_URL", remedy="write file:///path")
    return Path(path).absolute()
