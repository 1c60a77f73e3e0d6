"""Writing fitness records: what a rollout found out about a release's image."""

from __future__ import annotations

from slipway.delivery.model.fitness import FitnessNote, digest_of
from slipway.delivery.model.rollout import Rollout
from slipway.delivery.ports import Context


def record_verified(ctx: Context, rollout: Rollout, release_id: str) -> None:
    """The release's image is verified here. Safe to repeat."""
    digest = ctx.ledger.release(ctx.place.service, release_id).digest
    note = FitnessNote(release=release_id, because=f"rollout {rollout.id}", by=rollout.actor, at=ctx.clock.now())
    ctx.ledger.mark_verified(ctx.place, digest, note)


def record_rejected(ctx: Context, rollout: Rollout, release_id: str, because: str) -> None:
    """The release's image is rejected here; of a release with the image that stays live, only the release. Safe to repeat."""
    digest = ctx.ledger.release(ctx.place.service, release_id).digest
    wanted = ctx.ledger.wanted(ctx.place)
    stays = wanted.colour(wanted.live) if wanted.live else None
    whole_digest = stays is None or stays.release == release_id or digest_of(stays.image) != digest
    note = FitnessNote(
        release=release_id, because=because, by=rollout.actor, at=ctx.clock.now(), whole_digest=whole_digest
    )
    ctx.ledger.mark_rejected(ctx.place, digest, note)
