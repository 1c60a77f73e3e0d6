"""Rehearsed: where the stack file demands it, a release comes in only once the way back from it was tried upstream."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.model.rollout import Kind


def refuse_unrehearsed(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal to promote what was not rehearsed in the environment that it comes from."""
    source = facts.promote_from
    if facts.kind is not Kind.RELEASE or source is None or not facts.wants_rehearsal:
        return
    upstream = facts.fitness.get(source)
    if upstream is None or upstream.rehearsed is None:
        yield Refusal(
            gate="rehearsed",
            text=f"the way back from {facts.release.id} was not rehearsed in {source}, which {facts.environment} demands",
            remedy=f"run `slipway rehearse {source}` while it is live there, or go without with --force --because REASON",
        )
