"""Holds: a release that was rolled back stays away until a person says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.model.rollout import Kind


def refuse_held(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal when the release is on hold here."""
    hold = facts.holds.get(facts.release.id)
    if hold and facts.kind is not Kind.SWITCH:
        yield Refusal(
            gate="hold",
            text=f"{hold.release} is on hold in {facts.environment} since {hold.at:%Y-%m-%d %H:%M} UTC: {hold.because}",
            remedy="release a corrected version, or repeat with --force if the reason is gone",
        )
