"""The database's schema as delivery knows it, and what a release can live with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slipway.delivery.model.release import MigrationPhase, Release, Revision


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Migrations that were applied, oldest first."""

    applied: tuple[Revision, ...] = ()

    @property
    def head(self) -> str | None:
        """The newest applied migration; None: none yet."""
        return self.applied[-1].id if self.applied else None

    def has(self, revision: Revision) -> bool:
        """Whether `revision` was applied."""
        return any(done.id == revision.id for done in self.applied)

    def with_applied(self, revisions: Sequence[Revision]) -> Schema:
        """The schema after `revisions`; those it has already are not counted twice."""
        return Schema(applied=(*self.applied, *(revision for revision in revisions if not self.has(revision))))


@dataclass(frozen=True, kw_only=True)
class MigrationPlan:
    """What a release's migrations mean for a database."""

    first: tuple[Revision, ...] = ()
    """Contract migrations of an older release that block this one's expand migrations."""
    expand: tuple[Revision, ...] = ()
    """To run before the release takes traffic."""
    contract: tuple[Revision, ...] = ()
    """To run once the release has all the traffic and nothing older can come back."""


def plan_migrations(release: Release, schema: Schema) -> MigrationPlan:
    """Split what is pending. Alembic's history is a line: an expand migration behind a contract one cannot run before it."""
    pending = [revision for revision in release.revisions if not schema.has(revision)]
    phases = [revision.phase for revision in pending]
    last_expand = len(phases) - 1 - phases[::-1].index(MigrationPhase.EXPAND) if MigrationPhase.EXPAND in phases else -1
    runnable, trailing = pending[: last_expand + 1], pending[last_expand + 1 :]
    blocking_until = max((i for i, item in enumerate(runnable) if item.phase is MigrationPhase.CONTRACT), default=-1)
    return MigrationPlan(
        first=tuple(runnable[: blocking_until + 1]),
        expand=tuple(runnable[blocking_until + 1 :]),
        contract=tuple(trailing),
    )


def find_incompatibilities(release: Release, schema: Schema) -> tuple[str, ...]:
    """Why `release` cannot run on `schema` as it is; empty: it can.

    Expand migrations it does not know are harmless by definition. A contract migration it does not know took away something that its
    code may still use.
    """
    known = {revision.id for revision in release.revisions}
    missing = [item.id for item in release.revisions if item.phase is MigrationPhase.EXPAND and not schema.has(item)]
    removed = [item.id for item in schema.applied if item.phase is MigrationPhase.CONTRACT and item.id not in known]
    reasons = [f"needs migration {item}, which was not applied" for item in missing]
    reasons += [f"does not know contract migration {item}, which was applied" for item in removed]
    return tuple(reasons)
