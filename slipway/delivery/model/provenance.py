"""Where an image comes from and what is in it, as far as signatures prove it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from slipway.contract.supply_chain import SupplyChain

SCP_ADDRESS = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)")


@dataclass(frozen=True, kw_only=True)
class Build:
    """What the checkout and the machine say of a build, for its provenance."""

    repository: str
    """URL without credentials; empty outside a repository."""
    branch: str
    """Empty where none is checked out."""
    commit: str
    """As in the release: followed by `DIRTY` when the work tree had changes."""
    builder: str
    """URI of what ran the build."""
    invocation: str = ""
    """URI of this run of it."""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    base_image: str = ""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """Hex SHA-256 of the files that decide what is installed, by path."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """One signed statement on how an image was built."""

    repository: str
    branch: str
    commit: str
    builder: str
    built_at: datetime


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was found for one image and one set of demands. Only what the trusted key signed about exactly this digest counts."""

    demands: SupplyChain
    repository: str
    """The one that the image must be built from; empty: none is known to compare with."""
    provenance: tuple[Provenance, ...] = ()
    licences: Mapping[str, str] | None = None
    """SPDX expression (or a name, or nothing) by package, of the bill of materials; None: there is none."""
    denied: tuple[str, ...] = ()
    """Packages under a denied licence."""
    discarded: tuple[str, ...] = ()
    """Why other attestations do not count."""
    unreachable: str = ""
    """Why nothing could be asked; empty: everything was."""


def repository_url(remote: str) -> str:
    """One spelling of a git remote's address, without credentials: `git@github.com:acme/shop.git` -> `https://github.com/acme/shop`."""
    scp = SCP_ADDRESS.fullmatch(remote)
    if scp and "://" not in remote:
        return f"https://{scp[1].lower()}/{_bare(scp[2])}"
    parts = urlsplit(remote)
    if parts.scheme in {"http", "https", "ssh", "git"} and parts.hostname:
        port = f":{parts.port}" if parts.port and parts.scheme in {"http", "https"} else ""
        return f"https://{parts.hostname}{port}/{_bare(parts.path)}"
    return f"file://{_bare(parts.path, absolute=True)}" if remote else ""


def _bare(path: str, *, absolute: bool = False) -> str:
    bare = path.rstrip("/").removesuffix(".git")
    return bare if absolute else bare.lstrip("/")
