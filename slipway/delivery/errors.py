"""Delivery's own errors, beside those of `slipway.errors`."""

from __future__ import annotations

from slipway.delivery.gates.facts import Refusal
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout
from slipway.errors import LockedError, OperationError, PolicyError, RolledBackError


class LeaseLostError(LockedError):
    """Another owner took the lease; whatever this process wanted to write was refused."""


class ListenerGoneError(OperationError):
    """There is no live listener: the environment was deleted half-way, or the listener by hand. It divides no traffic."""


class NotBegunError(OperationError):
    """The migrations' Job was not even asked for: the database is as it was."""


class ReleaseRolledBackError(RolledBackError):
    """The release was bad, or a person turned the rollout back; `rollout` has the reason, the numbers that were bad, and the seconds."""

    def __init__(self, rollout: Rollout) -> None:
        timings = rollout.timings
        back = timings.get("weights_back")
        seconds = f"detected after {timings.get('detect', 0):.1f} s, " + (
            "and nobody has confirmed that its traffic is back"
            if back is None
            else f"traffic back after {back:.1f} s more"
        )
        why = f"{rollout.reason}: {rollout.reason_text}"
        if rollout.retried:
            why += f" ({rollout.attempt})"
        super().__init__(
            f"{rollout.candidate.release} was rolled back: {why} ({seconds})"
            if rollout.candidate
            else f"{rollout.kind} was turned back: {why}",
            where=f"{rollout.service} in {rollout.environment}",
            remedy=_remedy(rollout),
        )
        self.rollout = rollout


def left_in_database(rollout: Rollout) -> str:
    """Said of contract migrations that were given up once their Job was asked for; "": it was not."""
    if Phase.CONTRACTING not in rollout.path:
        return ""
    stays = "what of it has run stays, and a Job that runs goes on"
    return f"{stays}; a release that does not know these migrations comes back only where none has begun"


def _remedy(rollout: Rollout) -> str:
    if rollout.candidate is None:
        again = f"`slipway {rollout.kind} {rollout.environment}` tries again"
        return f"{again}; {left_in_database(rollout) or 'it is in the way of nothing'}"
    release = rollout.candidate.release
    look = f"look at `slipway history {rollout.environment}`"
    if rollout.reason is Reason.SUPERSEDED:
        return f"nothing is wrong with {release}, and it is not rejected: release it again if it is still wanted"
    if rollout.kind is Kind.RELEASE:
        lift = f"`slipway lift {rollout.environment} {release} --because REASON`"
        return f"{look}, correct it and release again; {release} is rejected here, until {lift}"
    return f"{look}; traffic stays where it was, so choose another release with --to"


class RefusedError(PolicyError):
    """Gates refused; nothing was changed. The message names each gate, and `refusals` has all of them."""

    def __init__(self, refusals: tuple[Refusal, ...], *, where: str) -> None:
        super().__init__(
            "; ".join(f"{refusal.gate}: {refusal.text}" for refusal in refusals),
            where=where,
            remedy="; ".join(dict.fromkeys(refusal.remedy for refusal in refusals)),
        )
        self.refusals = refusals
