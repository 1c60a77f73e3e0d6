"""Fitness records: what a rollout found out about a release's image, written or still owed. Writing is safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from slipway.delivery.model.fitness import FitnessNote, digest_of
from slipway.delivery.model.owed import Debt, Owed, foreseen
from slipway.delivery.ports import Context, Ledger, Place


def record_verified(ctx: Context, owed: Owed) -> None:
    """The release's image is verified here."""
    digest = ctx.ledger.release(ctx.place.service, owed.release).digest
    note = FitnessNote(release=owed.release, because=f"rollout {owed.rollout}", by=owed.by, at=owed.since)
    rejected = _rejected(ctx.ledger, ctx.place, digest)
    ctx.ledger.mark_verified(ctx.place, digest, note, rejected.without(owed.release) if rejected else None)


def record_rejected(ctx: Context, owed: Owed) -> None:
    """The release's image is rejected here."""
    ctx.ledger.mark_rejected(ctx.place, *_rejection(ctx.ledger, ctx.place, owed))


def record_rehearsed(ctx: Context, owed: Owed) -> None:
    """The way back from the release was rehearsed here, and how long it took."""
    if owed.rehearsed:
        digest = ctx.ledger.release(ctx.place.service, owed.release).digest
        ctx.ledger.mark_rehearsed(ctx.place, digest, owed.rehearsed)


def unwritten_rejections(ledger: Ledger, place: Place, *, under_way: bool) -> Iterator[tuple[str, FitnessNote]]:
    """Digests whose rejection in a place is decided and in no record yet. `under_way`: by a rollout that has not ended, too."""
    owed = [*ledger.owed(place)]
    rollout = ledger.rollout(place) if under_way else None
    if rollout and not rollout.phase.ended:
        owed += foreseen(rollout, ledger.abort_request(place, rollout.id))
    for item in owed:
        if item.debt is Debt.REJECTED:
            digest, note = _rejection(ledger, place, item)
            yield digest, replace(note, because=f"{note.because} (not recorded yet)")


def _rejection(ledger: Ledger, place: Place, owed: Owed) -> tuple[str, FitnessNote]:
    """Of a release with an image that another release keeps running here, only the release is rejected."""
    digest = ledger.release(place.service, owed.release).digest
    kept = ledger.wanted(place).releases().values()
    whole_digest = all(each.release == owed.release or digest_of(each.image) != digest for each in kept)
    note = FitnessNote(release=owed.release, because=owed.because, by=owed.by, at=owed.since, whole_digest=whole_digest)
    return digest, note.after(_rejected(ledger, place, digest))


def _rejected(ledger: Ledger, place: Place, digest: str) -> FitnessNote | None:
    """The rejection that is in the digest's record."""
    found = ledger.fitness(place, digest)
    return found.rejected if found else None
