"""A release: one immutable object that moves through the environments, the image by digest and all that belongs to it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum

from slipway.delivery.model.fitness import digest_of

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
DIRTY = "+dirty"
"""Ends the commit of a work tree that had changes."""


class MigrationPhase(StrEnum):
    """When a migration may run."""

    EXPAND = "expand"
    """Before the release that brings it takes traffic."""
    BACKFILL = "backfill"
    """Its batches: once the release that brings it has all the traffic. Before that Alembic notes it, and changes nothing."""
    CONTRACT = "contract"
    """After nothing older can come back, and the backfills before it are complete."""


class Login(StrEnum):
    """How a release logs in to its database. What runs keeps its own way while a newer release has another."""

    PASSWORD = "password"  # noqa: S105 - not one
    """The master user's, from a Secret."""
    TOKENS = "tokens"
    """As a user of the service's own, by IAM."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One migration by its Alembic id."""

    id: str
    phase: MigrationPhase
    faults: tuple[str, ...] = ()
    """What the lint found in it: it must not run while its tables are in use."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is delivered. Equal fingerprints mean the same release, whenever and wherever it was asked for."""

    id: str
    """`r-<date>-<eight hex digits of the fingerprint>`; never reused."""
    service: str
    version: str
    image: str
    """Reference by digest: `repository@sha256:…`. A tag can move, so it is refused."""
    git_commit: str
    """Full commit id, followed by `DIRTY` when the work tree had changes; `none` outside a repository."""
    program_hash: str
    """Hex SHA-256 over the sources of the infrastructure program and its components."""
    lock_hash: str
    """Hex SHA-256 of the dependency lock file."""
    config_hash: str
    """Hex SHA-256 over the stack files."""
    policy_version: str
    revisions: tuple[Revision, ...]
    """Every migration the image knows, oldest first."""
    created_at: datetime
    """When it was asked for, before any wait: what was asked for earlier is older."""
    settings_revision: str = ""
    """Of the settings that it was built and tried with, secrets included; "" where an earlier version made it."""
    login: Login = Login.PASSWORD
    """As the program offered when the release was made."""

    def __post_init__(self) -> None:
        if not DIGEST.search(self.image):
            raise ValueError(
                f"image of a release: got {self.image!r}, want a reference by digest (repository@sha256:…)"
            )

    @property
    def schema_head(self) -> str | None:
        """The newest migration the image knows; None without migrations."""
        return self.revisions[-1].id if self.revisions else None

    @property
    def digest(self) -> str:
        """The `sha256:…` part of the image reference."""
        return digest_of(self.image)

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 over everything that makes this release what it is; neither id nor times are part of it."""
        without = {"id", "created_at", *([] if self.settings_revision else ["settings_revision"])}
        content = {key: value for key, value in asdict(self).items() if key not in without}
        if self.login is Login.PASSWORD:
            del content["login"]  # releases of before this field keep their ids
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def named(self) -> Release:
        """The same release under the id that its content and its day give it."""
        return replace(self, id=f"r-{self.created_at:%Y%m%d}-{self.fingerprint[:8]}")


def same_checkout(draft: Release, known: Release) -> bool:
    """Whether all that the checkout says is of the known release. What changed in a dirty one nobody can say."""
    told = draft.git_commit != "none" and not draft.git_commit.endswith(DIRTY)
    names = ("version", "git_commit", "program_hash", "lock_hash", "config_hash", "revisions")
    return told and all(getattr(draft, name) == getattr(known, name) for name in names)
