"""Several simulated environments on one ledger and one clock, and contexts to run delivery's verbs in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.events import Event
from slipway.delivery.model.cadence import SANDBOX, Cadence
from slipway.delivery.model.credentials import LASTING, Credentials
from slipway.delivery.model.lease import Owner
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.ports import Context, Ledger, Place, SourceFacts
from slipway.delivery.testing.attestations import SimulatedAttestations
from slipway.delivery.testing.clock import ManualClock, SkewedClock
from slipway.delivery.testing.ledger import MemoryLedger
from slipway.delivery.testing.world import SimulatedEnvironment, SimulatedStack

QUICK: Mapping[str, Any] = {
    "strategy": "canary",
    "steps": [10, 50, 100],
    "bakeSeconds": 5,
    "metricWindowSeconds": 5,
    "analysisIntervalSeconds": 1,
    "minimumRequests": 10,
    "rollbackWindowSeconds": 600,
}
FACTS = SourceFacts(
    version="1.0.0",
    git_commit="c" * 40,
    program_hash="p" * 64,
    lock_hash="l" * 64,
    config_hash="f" * 64,
    policy_version="0.1.0",
    revisions=(Revision(id="0001", phase=MigrationPhase.EXPAND),),
)


@dataclass
class Rehearsal:
    """The simulated company: environments, a checkout, a process."""

    ledger: Ledger = field(default_factory=MemoryLedger)
    clock: ManualClock = field(default_factory=ManualClock)
    environments: dict[str, SimulatedEnvironment] = field(default_factory=dict[str, SimulatedEnvironment])
    facts_now: SourceFacts = FACTS
    """What the checkout says; `check_out` changes it."""
    events: list[Event] = field(default_factory=list[Event])
    dead: set[int] = field(default_factory=set[int])
    """Process ids that are gone."""
    expired: set[str] = field(default_factory=set[str])
    """Images that the registry no longer has."""
    credentials: Credentials = LASTING
    """For AWS, of every process."""
    cadence: Cadence = SANDBOX
    demands: SupplyChain = field(default_factory=SupplyChain)
    """Of every environment's stack file."""
    attestations: SimulatedAttestations = field(init=False)

    def __post_init__(self) -> None:
        self.attestations = SimulatedAttestations(self.clock)

    def environment(self, name: str, **rollout: Any) -> SimulatedEnvironment:
        """The environment, made with the first call; `rollout` overrides its quick settings."""
        if name not in self.environments:
            place = Place(environment=name, service="orders")
            self.ledger.ensure(place)
            self.environments[name] = SimulatedEnvironment(
                place=place, ledger=self.ledger, clock=self.clock, rollout={**QUICK, **rollout}, expired=self.expired
            )
        return self.environments[name]

    def check_out(
        self, version: str, *, revisions: Sequence[Revision] | None = None, building: str | None = "dev"
    ) -> None:
        """Another version of the service in the work tree, and its image where it is built."""
        self.facts_now = replace(
            self.facts_now, version=version, revisions=tuple(revisions or self.facts_now.revisions)
        )
        if building:
            digest = version.encode().hex().ljust(64, "0")[:64]
            self.environment(building).image = f"registry/orders@sha256:{digest}"

    def context(
        self, name: str, *, pid: int = 1, lease_wait_seconds: float = 0.0, skew_seconds: float = 0.0
    ) -> Context:
        """A context as one process would have it; `skew_seconds`: how far its machine's clock is ahead."""
        environment = self.environment(name)
        owner = Owner(user="ada", host="bench", pid=pid, started=float(pid))
        return Context(
            place=environment.place,
            ledger=self.ledger,
            stack=SimulatedStack(environment),
            source=self,
            connect=lambda _target: environment.world(owner),
            attestations=self.attestations,
            clock=SkewedClock(self.clock, skew_seconds) if skew_seconds else self.clock,
            owner=owner,
            owner_is_dead=lambda other: other.pid in self.dead,
            progress=self.events.append,
            lease_wait_seconds=lease_wait_seconds,
            declared=lambda: RolloutSettings.model_validate(environment.rollout),
            demands=lambda: self.demands,
            cadence=self.cadence,
            credentials=lambda: self.credentials,
            has_image=lambda image: image not in self.expired,
        )

    def facts(self) -> SourceFacts:
        """See `Source.facts`."""
        return self.facts_now
