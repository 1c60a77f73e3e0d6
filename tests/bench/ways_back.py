"""`slipway rollback` from every phase of every strategy, on the sandbox: seconds from the command to the load balancer's old weights.

The release's process is alive or was killed with -9; the stack works, or its program fails. Runs after `make demo`, in an environment
of its own, which it removes at the end: `python -m tests.bench.ways_back [--strategy canary] [--phase settling]`. A case takes a
minute. Exit code 1 where a way back took longer than wanted, or ended elsewhere.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from rich.console import Console
from rich.table import Table

from slipway.delivery.adapters.dynamodb_ledger import DynamoLedger
from slipway.delivery.adapters.elbv2 import Elbv2LoadBalancer
from slipway.delivery.adapters.table import Table as LedgerTable
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.rollout import ROUTES, Kind, Phase
from slipway.delivery.ports import Place
from slipway.sandbox.environment import REGION, sandbox_environment
from slipway.sandbox.paths import SandboxPaths
from tests.bench.environment import BenchEnvironment

NAME, SERVICE, LEDGER = "waysback", "orders", "slipway-ledger"
WANTED_SECONDS = 3.0
STEPS: dict[str, list[int]] = {"canary": [50, 100], "linear": [50], "blue-green": [100], "all-at-once": [100]}
PHASES = [phase for phase in ROUTES[Kind.RELEASE] if phase is not Phase.COMPLETED]
BAKE = ("--bake", "4", "--window", "4", "--minimum-requests", "1")
LOOK_SECONDS, PATIENCE_SECONDS = 0.02, 240
CONFIRM_SECONDS = 0.1
"""Between two looks at the weights: four calls each, which must not keep the sandbox from the command that is measured."""
BROKEN = 'raise SystemExit("the program fails on purpose")\n'


@dataclass(frozen=True)
class Case:
    """From where the way back is asked for."""

    strategy: str
    phase: Phase
    owner: str
    stack: str


def cases(strategies: Sequence[str], phases: Sequence[Phase]) -> Iterator[Case]:
    """A failing stack is tried with the first strategy alone: what follows from it does not depend on the strategy."""
    for strategy in strategies:
        stacks = ("works", "fails") if strategy == "canary" else ("works",)
        for phase, owner, stack in product(phases, ("alive", "dead"), stacks):
            yield Case(strategy, phase, owner, stack)


@dataclass
class WaysBack:
    """The environment, what was measured, and what went wrong."""

    environment: BenchEnvironment
    console: Console
    seconds: dict[Case, float] = field(default_factory=dict[Case, float])
    said: dict[Case, str] = field(default_factory=dict[Case, str])
    missed: list[Case] = field(default_factory=list[Case])
    """The phase was over before it was seen."""
    faults: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.ledger = DynamoLedger(LedgerTable(LEDGER, REGION))
        self.place = Place(environment=NAME, service=SERVICE)

    def configure(self, strategy: str) -> None:
        """The strategy, in the stack's settings from here on."""
        self.environment.configure(strategy=strategy, steps=STEPS[strategy])
        self.environment.slipway.run("up", NAME, "--yes")

    def attempt(self, number: int, case: Case) -> None:
        """A release, brought to the phase, and turned back."""
        slipway, program = self.environment.slipway, self.environment.folder / "infra/__main__.py"
        live = self.ledger.wanted(self.place).live
        assert live
        self.environment.commit(f"n{number}")
        before = self.ledger.rollout(self.place)
        release = subprocess.Popen(
            slipway.argv("release", NAME, *BAKE),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if not self._reached(case.phase, before.id if before else "", release):
            self.missed.append(case)
            release.wait(PATIENCE_SECONDS)
            return
        text = program.read_text()
        if case.owner == "dead":
            os.killpg(release.pid, signal.SIGKILL)
        if case.stack == "fails":
            program.write_text(BROKEN)
        try:
            self._go_back(case, live)
        finally:
            program.write_text(text)
            release.wait(PATIENCE_SECONDS)
        if self.ledger.owed(self.place):
            slipway.run("resume", NAME)

    def _reached(self, phase: Phase, before: str, release: subprocess.Popen[bytes]) -> bool:
        while release.poll() is None:
            rollout = self.ledger.rollout(self.place)
            if rollout and rollout.id != before:
                if rollout.phase is phase:
                    return True
                if phase in rollout.path or rollout.phase.ended:
                    return False
            time.sleep(LOOK_SECONDS)
        return False

    def _go_back(self, case: Case, live: Colour) -> None:
        target = self.ledger.target(self.place)
        assert target
        balancer = Elbv2LoadBalancer(target.load_balancer, REGION)
        began = time.monotonic()
        back = subprocess.Popen(
            self.environment.slipway.argv("rollback", NAME, "--because", "measured"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        arrived = False
        while time.monotonic() < began + PATIENCE_SECONDS:
            weights = balancer.read().weights
            wanted = self.ledger.wanted(self.place)
            arrived = weights is not None and weights.of(live) == 100 and wanted.weights == weights and self._is_back()
            if arrived:
                break
            time.sleep(CONFIRM_SECONDS)
        self.seconds[case] = time.monotonic() - began
        said, _ = back.communicate(timeout=PATIENCE_SECONDS)
        self.said[case] = said
        if back.returncode or not arrived or self.ledger.wanted(self.place).live is not live:
            self.faults.append(f"{case}: exit code {back.returncode}, back: {arrived}\n{said}")

    def _is_back(self) -> bool:
        """The rollout at hand is on its way back, or is one that goes back."""
        rollout = self.ledger.rollout(self.place)
        if rollout is None:
            return False
        turned = rollout.phase in {Phase.RETURNING, Phase.CLEANING, Phase.ROLLED_BACK}
        return turned or rollout.kind in {Kind.SWITCH, Kind.ROLLBACK}

    def report(self) -> bool:
        """Print what came of it; whether all was as wanted."""
        table = Table(
            "strategy", "owner", "stack", "ways back", "seconds: least / median / most", "phase of the most", box=None
        )
        groups: dict[tuple[str, str, str], dict[Phase, float]] = {}
        for case, seconds in self.seconds.items():
            groups.setdefault((case.strategy, case.owner, case.stack), {})[case.phase] = seconds
        for group, found in groups.items():
            spread = f"{min(found.values()):.1f} / {statistics.median(found.values()):.1f} / {max(found.values()):.1f}"
            table.add_row(*group, str(len(found)), spread, max(found, key=lambda phase: found[phase]))
        self.console.print(table)
        for case in self.missed:
            self.console.print(f"not seen in time: {case}", markup=False)
        for fault in self.faults:
            self.console.print(f"FAULT {fault}", markup=False)
        slow = [case for case, seconds in self.seconds.items() if seconds > WANTED_SECONDS]
        for case in slow:
            text = f"longer than {WANTED_SECONDS:g} s: {case}: {self.seconds[case]:.1f}\n{self.said[case]}"
            self.console.print(text, markup=False)
        return not (slow or self.faults)


def main(arguments: Sequence[str]) -> None:
    """Try all, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ways_back", description=__doc__)
    parser.add_argument("--strategy", choices=STEPS, action="append", help="only this one; may be given again")
    parser.add_argument(
        "--phase", choices=PHASES, type=Phase, action="append", help="only this one; may be given again"
    )
    asked = parser.parse_args(arguments)
    strategies: list[str] = asked.strategy or [*STEPS]
    console, paths = Console(soft_wrap=True, width=140), SandboxPaths.from_environment()
    os.environ |= sandbox_environment(paths)
    environment = BenchEnvironment(paths, NAME, "10.63.0.0/16")
    ways, strategy = WaysBack(environment, console), ""
    try:
        console.print("making the environment")
        environment.make()
        for number, case in enumerate(cases(strategies, asked.phase or PHASES)):
            if case.strategy != strategy:
                strategy = case.strategy
                ways.configure(strategy)
            ways.attempt(number, case)
            console.print(f"{case.strategy} {case.phase} {case.owner} {case.stack}: {ways.seconds.get(case, 0):.1f} s")
        well = ways.report()
    finally:
        environment.remove()
    if not well:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
