"""Attestations in memory: what was attested is proven, until `change` says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.model.provenance import Evidence, Provenance
from slipway.delivery.testing.clock import ManualClock

REPOSITORY = "https://git.example/acme/shop"


def _unchanged(evidence: Evidence) -> Evidence:
    return evidence


@dataclass
class SimulatedAttestations:
    """Implements `ports.Attestations`."""

    clock: ManualClock
    attested: dict[tuple[str, str], Provenance] = field(default_factory=dict[tuple[str, str], Provenance])
    """By image and commit."""
    asked: int = 0
    change: Callable[[Evidence], Evidence] = _unchanged
    """What a forger, another registry or time does to the evidence."""

    def attest(self, image: str, commit: str, demands: SupplyChain) -> Sequence[str]:
        """See `Attestations.attest`."""
        del demands
        self.attested[image, commit] = Provenance(
            repository=REPOSITORY, branch="main", commit=commit, builder="urn:bench", built_at=self.clock.now()
        )
        return ["pkg:pypi/nameless@1"]

    def evidence(self, image: str, commit: str, demands: SupplyChain) -> Evidence:
        """See `Attestations.evidence`."""
        self.asked += 1
        found = self.attested.get((image, commit))
        evidence = Evidence(
            demands=demands, repository=REPOSITORY, provenance=(found,) if found else (), licences={} if found else None
        )
        return self.change(evidence)
