"""One release by one process: the real ledger and load balancer API, a stand-in for pods and stack in a file.

Run as `python one_process.py <settings.json> <verb> <version> <owner-wait-seconds>`. The stand-in stack does what `up` does to weights:
it sets them once, when it makes the listener.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from slipway import delivery
from slipway.delivery.adapters.dynamodb_ledger import DynamoLedger
from slipway.delivery.adapters.elbv2 import Elbv2LoadBalancer
from slipway.delivery.adapters.machine import SystemClock, owner_is_dead, this_owner
from slipway.delivery.adapters.notifiers import Notifiers
from slipway.delivery.adapters.table import Table
from slipway.delivery.model.analysis import Comparison, Sample
from slipway.delivery.model.cadence import SANDBOX
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.observation import BalancerState, Health
from slipway.delivery.model.release import Revision
from slipway.delivery.model.route import Routes
from slipway.delivery.model.target import LoadBalancerRef, Target
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.ports import Context, Place, Pods, SourceFacts, StackResult, World
from slipway.delivery.testing.attestations import SimulatedAttestations
from slipway.delivery.testing.clock import ManualClock
from slipway.delivery.testing.rehearsal import FACTS
from slipway.errors import OperationError, SlipwayError

PLACE = Place(environment="dev", service="orders")


@dataclass
class Machine:
    """Pods, stack and checkout, kept in a file so that the next process finds them."""

    settings: dict[str, Any]
    version: str
    source, synthetic = "stand-in", False

    @cached_property
    def ledger(self) -> DynamoLedger:
        return DynamoLedger(Table("slipway-ledger", "us-east-1"), lease_term_seconds=self.settings["leaseSeconds"])

    @cached_property
    def balancer(self) -> Elbv2LoadBalancer:
        return Elbv2LoadBalancer(LoadBalancerRef.model_validate(self.settings["loadBalancer"]), "us-east-1")

    @property
    def file(self) -> Path:
        return Path(self.settings["file"])

    def running(self) -> dict[str, str]:
        return json.loads(self.file.read_text()) if self.file.is_file() else {}

    def up(self) -> StackResult:
        wanted, first = self.ledger.wanted(PLACE), not self.file.is_file()
        temporary = self.file.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps({colour: running.release for colour, running in wanted.releases().items()}))
        temporary.replace(self.file)
        if first:
            self.balancer.move(wanted.weights)
        self.balancer.point_test(wanted.test)
        return StackResult()

    preview = refresh = destroy = up

    def outputs(self) -> Mapping[str, Any]:
        digest = self.version.encode().hex().ljust(64, "0")
        return {
            "delivery": {
                "environment": "dev",
                "service": "orders",
                "region": "us-east-1",
                "ledgerTable": "slipway-ledger",
                "cluster": {"name": "orders-dev", "namespace": "orders"},
                "loadBalancer": self.settings["loadBalancer"],
                "deployments": {"blue": "orders-blue", "green": "orders-green"},
                "databaseSecretName": "orders-database",
                "image": {"repository": "registry/orders", "reference": f"registry/orders@sha256:{digest}"},
                "rollout": self.settings["rollout"],
            }
        }

    def facts(self) -> SourceFacts:
        return replace(FACTS, version=self.version)

    # The load balancer is the real API; only its targets' health is this machine's.
    def read(self, *, test: bool = False, routes: bool = False) -> BalancerState:
        return self.balancer.read(test=test, routes=routes)

    def move(self, weights: Weights) -> None:
        self.balancer.move(weights)

    def point_test(self, colour: Colour) -> None:
        self.balancer.point_test(colour)

    def set_routes(self, routes: Routes) -> None:
        self.balancer.set_routes(routes)

    def health(self, colour: Colour) -> Health:
        return Health(healthy=2 if colour in self.running() else 0, unhealthy=0)

    def pods(self, colour: Colour) -> Pods | None:
        return Pods(wanted=2, ready=True) if colour in self.running() else None

    def size(self, _colour: Colour) -> None:
        """No autoscaler has it."""

    def room(self, _colour: Colour) -> None:
        """Nothing is asked of nodes."""

    def make_users(self, _release: ColourRelease, _tell: Callable[[str], None]) -> None:
        """Its database has the master alone."""

    def migrate(self, release: ColourRelease, revisions: Sequence[Revision], tell: Callable[[str], None]) -> None:
        tell(f"{release.release}: {revisions[-1].id}")

    def backfill(self, _revision: str, _run: str) -> None:
        """It has no backfills."""

    def start_backfill(self, _release: ColourRelease, _revision: str, _run: str) -> None:
        """It has no backfills."""

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        bad = self.running().get(candidate, "").endswith(self.settings.get("bad", "none"))
        return Comparison(
            source=self.source, candidate=Sample(requests=500, errors=200 if bad else 0, slow=0), live=None
        )

    def smoke(self, *, live: bool, colour: Colour, release: str, deadline_seconds: float) -> None:
        if self.running().get(colour) != release:
            raise OperationError(f"{colour} runs {self.running().get(colour)}")


def build(settings: dict[str, Any], version: str, wait_seconds: float) -> Context:
    machine = Machine(settings, version)

    def connect(_target: Target) -> World:
        return World(balancer=machine, cluster=machine, metrics=(machine,), probe=machine, notifier=Notifiers([]))

    return Context(
        place=PLACE,
        ledger=machine.ledger,
        stack=machine,
        source=machine,
        connect=connect,
        attestations=SimulatedAttestations(ManualClock()),
        clock=SystemClock(),
        owner=this_owner(),
        owner_is_dead=owner_is_dead,
        progress=lambda event: print(f"{type(event).__name__}: {event.text}", flush=True),  # noqa: T201 - read by the test
        lease_wait_seconds=wait_seconds,
        cadence=SANDBOX,
    )


def main(arguments: list[str]) -> int:
    settings, verb, version, wait_seconds = (
        json.loads(Path(arguments[0]).read_text()),
        arguments[1],
        arguments[2],
        float(arguments[3]),
    )
    ctx = build(settings, version, wait_seconds)
    try:
        outcome = getattr(delivery, verb)(ctx)
    except SlipwayError as error:
        print(f"{type(error).__name__}: {error}", flush=True)  # noqa: T201 - read by the test
        return error.exit_code
    print(f"outcome: {outcome.status}", flush=True)  # noqa: T201 - read by the test
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
