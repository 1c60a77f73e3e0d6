"""Order: an older release does not overtake a newer one, and the way back stays open for its time."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.model.rollout import Kind


def refuse_overtaking(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal when what is live was asked for later than this release: going back is a verb of its own."""
    live = facts.live
    if facts.kind is Kind.RELEASE and live and live.created_at > facts.release.created_at:
        yield Refusal(
            gate="order",
            text=f"{facts.release.id} is older than {live.id}, which is live in {facts.environment}",
            remedy=f"to go back on purpose to what was live here: `slipway rollback {facts.environment} --to {facts.release.id}`;"
            " to bring it although it is older: --force --because REASON",
        )


def refuse_open_window(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal to take the old colour away while it is the instant way back."""
    closes = facts.window_closes_at
    if facts.kind in {Kind.RETIRE, Kind.CONTRACT} and closes and facts.now < closes:
        yield Refusal(
            gate="rollback-window",
            text=f"the rollback window is open until {closes:%Y-%m-%d %H:%M:%S} UTC",
            remedy="wait until then, or give up the instant way back with --force --because REASON",
        )
