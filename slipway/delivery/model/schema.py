"""The database's schema as delivery knows it, and what a release can live with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from slipway.delivery.model.release import MigrationPhase, Release, Revision


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Migrations that were applied, oldest first."""

    applied: tuple[Revision, ...] = ()
    filled: tuple[str, ...] = ()
    """Backfills that are complete, by their migrations' ids."""
    begun: tuple[Revision, ...] = ()
    """Contract migrations that a Job was asked for, and that may have run, in part or all: whether they did is not known yet."""

    @property
    def head(self) -> str | None:
        """The newest applied migration; None: none yet."""
        return self.applied[-1].id if self.applied else None

    def has(self, revision: Revision) -> bool:
        """Whether `revision` was applied."""
        return any(done.id == revision.id for done in self.applied)

    def with_applied(self, revisions: Sequence[Revision]) -> Schema:
        """The schema after `revisions`; those it has already are not counted twice."""
        applied = (*self.applied, *(item for item in revisions if not self.has(item)))
        return replace(self, applied=applied).without_begun(revisions)

    def with_begun(self, revisions: Sequence[Revision]) -> Schema:
        """The schema while a Job may be running `revisions`."""
        new = (item for item in revisions if item.phase is MigrationPhase.CONTRACT and not self.has(item))
        return replace(self, begun=tuple({item.id: item for item in (*self.begun, *new)}.values()))

    def without_begun(self, revisions: Sequence[Revision]) -> Schema:
        """The schema once it is known what became of `revisions`."""
        known = {item.id for item in revisions}
        return replace(self, begun=tuple(item for item in self.begun if item.id not in known))

    def with_filled(self, revision: str) -> Schema:
        """The schema once a backfill is complete."""
        return replace(self, filled=tuple(dict.fromkeys((*self.filled, revision))))

    def under(self, release: Release) -> Schema:
        """The schema once `release` has the traffic: what it does not know of is not filled in the rows that it writes."""
        known = {revision.id for revision in release.revisions}
        return replace(self, filled=tuple(item for item in self.filled if item in known))


@dataclass(frozen=True, kw_only=True)
class MigrationPlan:
    """What a release's migrations mean for a database."""

    first: tuple[Revision, ...] = ()
    """Contract migrations of an older release that block this one's expand migrations."""
    expand: tuple[Revision, ...] = ()
    """To run before the release takes traffic; a backfill among them is only noted then."""
    contract: tuple[Revision, ...] = ()
    """To run once the release has all the traffic and nothing older can come back."""


def plan_migrations(release: Release, schema: Schema, *, live: bool = True) -> MigrationPlan:
    """Split what is pending. Alembic's history is a line: an expand migration behind a contract one cannot run before it.

    `live`: a release has traffic here. Without one, contract migrations before an expand one take nothing away from anybody.
    """
    pending = [revision for revision in release.revisions if not schema.has(revision)]
    last = max((i for i, item in enumerate(pending) if item.phase is not MigrationPhase.CONTRACT), default=-1)
    runnable, trailing = pending[: last + 1], pending[last + 1 :]
    contracts = (i for i, item in enumerate(runnable) if live and item.phase is MigrationPhase.CONTRACT)
    blocking_until = max(contracts, default=-1)
    return MigrationPlan(
        first=tuple(runnable[: blocking_until + 1]),
        expand=tuple(runnable[blocking_until + 1 :]),
        contract=tuple(trailing),
    )


def find_contract(release: Release, schema: Schema) -> tuple[Revision, ...]:
    """Contract migrations that the live release waits for; empty when another migration is pending before them."""
    pending = [revision for revision in release.revisions if not schema.has(revision)]
    return tuple(pending) if all(item.phase is MigrationPhase.CONTRACT for item in pending) else ()


def find_backfills(release: Release, schema: Schema) -> tuple[Revision, ...]:
    """Backfills that the live release waits for, oldest first.

    One before a contract migration that was applied is over: that one was let through only once it was complete, or in an empty database.
    """
    done = [i for i, item in enumerate(release.revisions) if item.phase is MigrationPhase.CONTRACT and schema.has(item)]
    return tuple(
        item
        for item in release.revisions[max(done, default=-1) + 1 :]
        if item.phase is MigrationPhase.BACKFILL and schema.has(item) and item.id not in schema.filled
    )


def find_incompatibilities(release: Release, schema: Schema) -> tuple[str, ...]:
    """Why `release` cannot run on `schema` as it is; empty: it can.

    Expand migrations it does not know are harmless by definition. A contract migration it does not know took away something that its
    code may still use. One that has begun counts as applied: it may have.
    """
    known = {revision.id for revision in release.revisions}
    missing = [item.id for item in release.revisions if item.phase is MigrationPhase.EXPAND and not schema.has(item)]
    removed = [item.id for item in schema.applied if item.phase is MigrationPhase.CONTRACT and item.id not in known]
    reasons = [f"needs migration {item}, which was not applied" for item in missing]
    begun = [item.id for item in schema.begun if item.id not in known]
    reasons += [f"does not know contract migration {item}, which was applied" for item in removed]
    reasons += [f"does not know contract migration {item}, which has begun and may have run" for item in begun]
    return tuple(reasons)
