"""Image: nothing is touched for a release whose image the registry no longer has."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import GateFacts, Refusal


def refuse_missing_image(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal that nobody can force: its pods could not start."""
    if not facts.image_exists:
        yield Refusal(
            gate="image",
            text=f"the registry no longer has the image of {facts.release.id}",
            remedy=f"choose a newer release, or release its commit again: {facts.release.git_commit}",
            can_be_forced=False,
        )
