"""Writing fitness records: what a rollout found out about a release's image. Safe to repeat."""

from __future__ import annotations

from datetime import datetime

from slipway.delivery.model.fitness import FitnessNote, digest_of
from slipway.delivery.ports import Context


def record_verified(ctx: Context, release_id: str, *, because: str, by: str, at: datetime) -> None:
    """The release's image is verified here."""
    digest = ctx.ledger.release(ctx.place.service, release_id).digest
    note = FitnessNote(release=release_id, because=because, by=by, at=at)
    ctx.ledger.mark_verified(ctx.place, digest, note)


def record_rejected(ctx: Context, release_id: str, *, because: str, by: str, at: datetime) -> None:
    """The release's image is rejected here; of a release with the image that stays live, only the release."""
    digest = ctx.ledger.release(ctx.place.service, release_id).digest
    wanted = ctx.ledger.wanted(ctx.place)
    stays = wanted.colour(wanted.live) if wanted.live else None
    whole_digest = stays is None or stays.release == release_id or digest_of(stays.image) != digest
    note = FitnessNote(release=release_id, because=because, by=by, at=at, whole_digest=whole_digest)
    ctx.ledger.mark_rejected(ctx.place, digest, note)
