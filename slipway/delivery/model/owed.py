"""Work that is left once the traffic is decided. It is recorded, retried and told, and in nobody's way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from slipway.delivery.model.age import ago
from slipway.delivery.model.fitness import Rehearsed
from slipway.delivery.model.release import Revision
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout


class Debt(StrEnum):
    """What is owed, in the order in which it is tried."""

    VERIFIED = "verified"
    """The record that a release was verified here."""
    REJECTED = "rejected"
    """The record that a release's image was rejected here."""
    REHEARSED = "rehearsed"
    """The record that the way back from a release was rehearsed here."""
    CAPACITY = "capacity"
    """The autoscalers keep as many pods as the ledger says."""
    UP = "up"
    """The stack's state in line with the ledger, colours that are no longer wanted taken away."""
    BACKFILL = "backfill"
    """The batches of a backfill, in a Job that nobody waits for."""
    CONTRACT = "contract"
    """Contract migrations that were tried and failed."""


RECORDS = frozenset({Debt.VERIFIED, Debt.REJECTED, Debt.REHEARSED})
"""Debts that the ledger alone can settle."""


@dataclass(frozen=True, kw_only=True)
class Owed:
    """One piece of work that is left."""

    debt: Debt
    release: str = ""
    """Of a record: the release it is about. Of a backfill: its migration."""
    because: str = ""
    rehearsed: Rehearsed | None = None
    """What is to be recorded of a rehearsal."""
    by: str = ""
    """Whose rollout left it."""
    rollout: str
    since: datetime
    attempts: int = 0
    problem: str = ""
    """Why the last attempt failed; "": there was none yet."""

    @property
    def what(self) -> str:
        """In two words."""
        return f"{self.debt.value} {self.release}".strip()

    @property
    def text(self) -> str:
        """One line for people."""
        tried = f", tried {self.attempts} time(s): {self.problem}" if self.problem else ""
        return f"{self.what} since {self.since:%Y-%m-%d %H:%M} UTC{tried}"

    def told(self, now: datetime) -> str:
        """The same with its age, for pages that are looked at."""
        tried = f", tried {self.attempts} time{'s' if self.attempts > 1 else ''}: {self.problem}"
        untried = "" if self.debt is Debt.BACKFILL else ", not tried yet"
        return f"{self.what} for {ago(self.since, now)}{tried if self.attempts else untried}"


def foreseen(rollout: Rollout, abort: str | None) -> Iterable[Owed]:
    """What a rollout under way will leave, as far as its direction is decided: turned back, or a way back."""
    if rollout.may_retry and abort is None:
        return ()
    if rollout.phase in {Phase.RETURNING, Phase.CLEANING}:
        return owed_by(replace(rollout, phase=Phase.ROLLED_BACK))
    if abort is not None and rollout.kind is Kind.RELEASE:
        return owed_by(replace(rollout, phase=Phase.ROLLED_BACK, reason=Reason.ABORTED, reason_text=abort))
    if abort is None and rollout.kind in {Kind.ROLLBACK, Kind.SWITCH}:
        return owed_by(replace(rollout, phase=Phase.COMPLETED))
    return ()


def owed_by(rollout: Rollout) -> Iterable[Owed]:
    """What an ended rollout leaves."""
    back = rollout.phase is Phase.ROLLED_BACK
    left = rollout.original.colour(rollout.original.live) if rollout.original.live else None
    since = rollout.ended_at or rollout.phase_started_at
    owed = Owed(debt=Debt.UP, by=rollout.actor, rollout=rollout.id, since=since)
    if rollout.kind is Kind.REHEARSAL:
        yield from _owed_by_rehearsal(rollout, owed, back=back)
        return
    same = bool(left and rollout.candidate and left.release == rollout.candidate.release)
    if same and (back or rollout.kind is not Kind.RELEASE):
        pass  # the release stays live, with other settings: nothing is said against it
    elif rollout.kind is Kind.RELEASE and rollout.candidate and rollout.reason is not Reason.SUPERSEDED:
        about = replace(owed, release=rollout.candidate.release)
        because = f"{rollout.reason}: {rollout.reason_text}"
        yield replace(about, debt=Debt.REJECTED, because=because) if back else replace(about, debt=Debt.VERIFIED)
    elif rollout.kind is not Kind.RELEASE and rollout.candidate and left and not back:
        yield replace(owed, debt=Debt.REJECTED, release=left.release, because=f"rolled back by {rollout.actor}")
    if _changes_pods(rollout, back=back):
        yield replace(owed, debt=Debt.CAPACITY)
    if Phase.CONTRACTING in rollout.path:  # its own `up` has succeeded
        if back:
            yield replace(owed, debt=Debt.CONTRACT, attempts=1, problem=rollout.reason_text)
    elif not back or {Phase.DEPLOYING, Phase.SHIFTING, Phase.RETIRING} & {*rollout.path}:
        yield owed


def _owed_by_rehearsal(rollout: Rollout, owed: Owed, *, back: bool) -> Iterable[Owed]:
    """What it has measured, and nothing against the release. One that was given up may have left traffic at the other colour."""
    if rehearsed := rollout.rehearsed:
        yield replace(owed, debt=Debt.REHEARSED, release=rehearsed.release, rehearsed=rehearsed)
    if Phase.SIZING in rollout.path:
        yield replace(owed, debt=Debt.CAPACITY)
    if back and Phase.SHIFTING in rollout.path:
        yield owed


def _changes_pods(rollout: Rollout, *, back: bool) -> bool:
    """Whether the autoscalers may keep other numbers than the ledger says. A release that completes leaves them as it set them."""
    if rollout.kind is Kind.RELEASE:
        return back and Phase.SIZING in rollout.path
    return rollout.kind in {Kind.ROLLBACK, Kind.SWITCH} and not back


def with_debt(owed: Iterable[Owed], new: Owed) -> tuple[Owed, ...]:
    """One more thing, in the order in which it is tried; what is owed already is owed once."""
    merged = {(item.debt, item.release): item for item in (new, *owed)}
    return tuple(sorted(merged.values(), key=lambda item: list(Debt).index(item.debt)))


def with_owed_by(owed: Iterable[Owed], rollout: Rollout) -> tuple[Owed, ...]:
    """All that is owed once `rollout` has ended, each thing once, in the order in which it is tried."""
    contracted = rollout.kind is Kind.CONTRACT and rollout.phase is Phase.COMPLETED
    merged = {(item.debt, item.release): item for item in owed if not (contracted and item.debt is Debt.CONTRACT)}
    for new in owed_by(rollout):
        old = merged.get((new.debt, new.release), new)
        attempts = new.attempts if old is new else old.attempts + new.attempts
        merged[new.debt, new.release] = replace(old, attempts=attempts, problem=new.problem or old.problem)
    return tuple(sorted(merged.values(), key=lambda item: list(Debt).index(item.debt)))


def with_backfills(owed: Iterable[Owed], rollout: Rollout, revisions: Iterable[Revision]) -> tuple[Owed, ...]:
    """What is owed once `rollout` has brought a release here that waits for these backfills, and for no other.

    One that is owed already stays the run that it is. Of a release that comes here again it begins anew: others have written meanwhile.
    """
    ids = [revision.id for revision in revisions]
    left = tuple(item for item in owed if item.debt is not Debt.BACKFILL or item.release in ids)
    since = rollout.ended_at or rollout.phase_started_at
    for name in ids:
        new = Owed(debt=Debt.BACKFILL, release=name, by=rollout.actor, rollout=rollout.id, since=since)
        left = with_debt(left, new)
    return left
