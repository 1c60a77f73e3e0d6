"""Fitness: a digest that was rejected here or upstream is refused, and one that nobody has verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slipway.delivery.gates.facts import BRINGS, WAYS_BACK, GateFacts, Refusal
from slipway.delivery.model.fitness import Fitness


def refuse_rejected(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal for each environment that rejected the digest.

    Asked about the live release, too, before the way back from it is taken away.
    """
    yield from find_rejected(facts.release.id, facts.fitness)


def find_rejected(release_id: str, found: Mapping[str, Fitness]) -> Iterator[Refusal]:
    """The same for a release that is on its way already; `found`: by environment."""
    for environment, fitness in sorted(found.items()):
        note = fitness.rejected
        if note and fitness.rejects(release_id):
            rejected = release_id if release_id in note.releases else note.release
            name = release_id if rejected == release_id else f"{release_id} (as {rejected})"
            yield Refusal(
                gate="rejected",
                text=f"{name} was rejected in {environment} at {note.at:%Y-%m-%d %H:%M} UTC by {note.by}: {note.because}",
                remedy=f"release a corrected version; if the reason is gone, `slipway lift {environment} {rejected} --because REASON`",
            )


def refuse_unverified(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal when the digest was not verified upstream. It cannot be forced: nobody has ever seen it work.

    What was verified here may come back here; where releases are built, nothing else may without a reason.
    """
    here, upstream = facts.fitness.get(facts.environment), facts.fitness.get(facts.promote_from or "")
    verified_here = facts.kind in WAYS_BACK and here is not None and here.verified
    if facts.kind in WAYS_BACK and facts.promote_from is None:
        if not verified_here and not facts.was_live:
            yield Refusal(
                gate="upstream",
                text=f"{facts.release.id} ({facts.release.digest[:19]}…) was never verified in {facts.environment}, nor live",
                remedy=f"choose another one, or bring it here all the same: --to {facts.release.id} --force --because REASON",
            )
        return
    if facts.kind not in BRINGS or facts.promote_from is None or (upstream and upstream.verified) or verified_here:
        return
    seen = ", ".join(name for name, fitness in sorted(facts.fitness.items()) if fitness.verified) or "nowhere"
    yield Refusal(
        gate="upstream",
        text=f"{facts.release.id} ({facts.release.digest[:19]}…) was not verified in {facts.promote_from}; verified: {seen}",
        remedy=f"bring it to 100 % in {facts.promote_from} first, then promote it",
        can_be_forced=False,
    )
