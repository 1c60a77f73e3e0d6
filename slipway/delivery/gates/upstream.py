"""Upstream: an environment takes only what was verified in the one before it, by digest."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.model.rollout import Kind


def refuse_unverified(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal when the release has not been verified upstream. It cannot be forced: nobody has ever seen it work."""
    if facts.kind is not Kind.RELEASE or facts.promote_from is None:
        return
    if facts.promote_from not in facts.release.verified_in:
        seen = ", ".join(sorted(facts.release.verified_in)) or "nowhere"
        yield Refusal(
            gate="upstream",
            text=f"{facts.release.id} ({facts.release.digest[:19]}…) was not verified in {facts.promote_from}; verified: {seen}",
            remedy=f"bring it to 100 % in {facts.promote_from} first, then promote it",
            can_be_forced=False,
        )
