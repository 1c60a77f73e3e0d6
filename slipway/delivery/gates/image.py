"""Image: nothing is touched for a release whose image the registry no longer has, or whose record names another one than ran here."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import GateFacts, Refusal


def refuse_changed_image(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal that nobody can force: every environment that builds writes the records of releases, and only this one its own history."""
    name, recorded = facts.release.id, facts.release.image
    if facts.ran_image is not None and facts.ran_image != recorded:
        yield Refusal(
            gate="image",
            text=f"{name} ran here with {facts.ran_image}, and the ledger's record of it names {recorded} now",
            remedy="somebody has changed the record: find out who (CloudTrail has the writes), and choose another release",
            can_be_forced=False,
        )


def refuse_missing_image(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal that nobody can force: its pods could not start."""
    if not facts.image_exists:
        yield Refusal(
            gate="image",
            text=f"the registry no longer has the image of {facts.release.id}",
            remedy=f"choose a newer release, or release its commit again: {facts.release.git_commit}",
            can_be_forced=False,
        )
