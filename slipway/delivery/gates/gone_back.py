"""Gone back: a way back that names no release is not repeated. The second one goes further than anybody has looked."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import WAYS_BACK, GateFacts, Refusal


def refuse_going_further(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal when the live release came by a way back itself. No flag opens it: the release that is meant can be named."""
    before = facts.gone_back
    if before is None or before.candidate is None or facts.kind not in WAYS_BACK:
        return
    left = before.original.colour(before.original.live) if before.original.live else None
    at = f" at {before.ended_at:%Y-%m-%d %H:%M} UTC" if before.ended_at else ""
    rejected = any(fitness.rejects(facts.release.id) for fitness in facts.fitness.values())
    brings = f"make {facts.release.id} ({facts.release.version}) live"
    remedy = (
        f"if that is meant, name it: `slipway rollback {facts.environment} --to {facts.release.id}"
        f"{' --force --because REASON' if rejected else ''}`"
    )
    if facts.release.id == before.candidate.release:
        brings = "bring other settings of it back"
        remedy = "if that is meant, set them in the stack file and release it again"
    yield Refusal(
        gate="gone-back",
        text=f"{before.candidate.release} ({before.candidate.version}) is live since {before.actor} went back"
        f"{f' from {left.release} ({left.version})' if left else ''}{at}; going back once more would {brings}",
        remedy=remedy,
        can_be_forced=False,
    )
