"""Program: infrastructure moves with its release, so the sources at hand must be the ones the release was made from."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.model.rollout import Kind


def refuse_other_program(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal when program or lock file differ from the release's."""
    if facts.kind is not Kind.RELEASE:
        return
    for name, ours, theirs in (
        ("infrastructure program", facts.program_hash, facts.release.program_hash),
        ("lock file", facts.lock_hash, facts.release.lock_hash),
    ):
        if ours is not None and ours != theirs:
            yield Refusal(
                gate="program",
                text=f"the {name} here is not the one {facts.release.id} was made with",
                remedy=f"check out {facts.release.git_commit}, or repeat with --force --because REASON to use the sources at hand",
            )
