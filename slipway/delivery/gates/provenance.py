"""Provenance: only what the trusted key says was built from the expected source is promoted. Ways back are not asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.model.provenance import Evidence, Provenance
from slipway.delivery.model.release import DIRTY
from slipway.delivery.model.rollout import Kind

GATE = "provenance"
NAMED_PACKAGES = 3


def refuse_unproven(facts: GateFacts) -> Iterator[Refusal]:
    """Refusals of an image whose origin or contents are not proven, or whose contents are denied."""
    evidence, name = facts.evidence, facts.release.id
    if facts.kind is not Kind.RELEASE or evidence is None:
        return
    again = f"release it again where images are built, from a clean checkout: {facts.release.git_commit}"
    if evidence.unreachable:
        yield Refusal(
            gate=GATE,
            text=f"cannot check where the image of {name} comes from: {evidence.unreachable}",
            remedy="try again when it answers, or repeat with --force --because REASON if it must be now",
        )
        return
    reasons = [_fault(facts, evidence, each) for each in evidence.provenance]
    if not reasons:
        because = "; ".join(f"one {each}" for each in evidence.discarded) or "the registry has none"
        yield Refusal(
            gate=GATE,
            text=f"the image of {name} has no provenance signed by {evidence.demands.key}: {because}",
            remedy=again,
        )
    elif all(reasons):
        yield Refusal(gate=GATE, text=f"the image of {name} {reasons[-1]}", remedy=again)
    if evidence.licences is None:
        yield Refusal(
            gate=GATE,
            text=f"the image of {name} has no bill of materials signed by {evidence.demands.key}",
            remedy=again,
        )
    if evidence.denied:
        more = len(evidence.denied) - NAMED_PACKAGES
        named = ", ".join(evidence.denied[:NAMED_PACKAGES]) + (f" and {more} more" if more > 0 else "")
        yield Refusal(
            gate="licences",
            text=f"the image of {name} has packages under a denied licence: {named}",
            remedy="replace them, or repeat with --force --because REASON where the licence does not bind you",
        )


def _fault(facts: GateFacts, evidence: Evidence, found: Provenance) -> str:
    """Why this provenance is not enough; empty: it is."""
    demands = evidence.demands
    if evidence.repository and found.repository != evidence.repository:
        return f"was built from {found.repository or 'no repository'}, not from {evidence.repository}"
    if found.commit != facts.release.git_commit:
        return f"was built from commit {found.commit}, not from {facts.release.git_commit}"
    if demands.branch and (found.branch != demands.branch or found.commit.endswith(DIRTY)):
        state = ", with uncommitted changes" if found.commit.endswith(DIRTY) else ""
        return f"was built from {found.branch or 'no branch'}{state}, not from {demands.branch} as it is committed"
    if demands.max_age_days and facts.now - found.built_at > timedelta(days=demands.max_age_days):
        return f"was built on {found.built_at:%Y-%m-%d}, more than {demands.max_age_days} days ago"
    return ""
