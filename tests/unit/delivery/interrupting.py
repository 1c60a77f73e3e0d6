"""Processes that are killed half-way: their lease and their rollout stay behind, as after a real kill -9."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import Event, PhaseEntered, RolloutStarted
from slipway.delivery.model.colour import Weights
from slipway.delivery.model.lease import Lease
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Phase
from slipway.delivery.planning import build_release
from slipway.delivery.ports import Place
from slipway.delivery.testing.processes import KilledError
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour, SimulatedEnvironment

DEAD = 7
"""Process id of who is killed."""


EXPAND = Revision(id="0001", phase=MigrationPhase.EXPAND)
CONTRACT = Revision(id="0002", phase=MigrationPhase.CONTRACT)
OLD, NEW = Weights(blue=0, green=100), Weights(blue=100, green=0)
"""The first release is green, the second one blue."""


def company(*versions: str, **rollout: Any) -> Rehearsal:
    rehearsal = Rehearsal()
    rehearsal.environment("dev", **{"steps": [50, 100]} | rollout)
    for version in versions:
        rehearsal.check_out(version, revisions=[EXPAND])
        delivery.release(rehearsal.context("dev"))
    return rehearsal


def watch_weights(dev: SimulatedEnvironment) -> list[tuple[datetime, Weights]]:
    """When the load balancer had which weights."""
    seen: list[tuple[datetime, Weights]] = []
    sleep = dev.clock.sleep

    def look(seconds: float) -> None:
        sleep(seconds)
        dev.settle_weights()
        seen.append((dev.clock.now(), dev.weights))

    dev.clock.sleep = look  # type: ignore[method-assign]
    return seen


def seconds_until(seen: list[tuple[datetime, Weights]], began: datetime, weights: Weights) -> float:
    held = [at for at, actual in seen if actual == weights]
    assert held, f"never {weights}"
    return (min(held) - began).total_seconds()


def keep_lease(_place: Place, _lease: Lease) -> None:
    """What a killed process does about its lease."""


def listening(rehearsal: Rehearsal, act: Callable[[Event], object]) -> delivery.Context:
    """A context whose process does something at each event."""

    def hear(event: Event) -> None:
        rehearsal.events.append(event)
        act(event)

    return replace(rehearsal.context("dev"), progress=hear)


def killed_when(
    rehearsal: Rehearsal,
    verb: Callable[[delivery.Context], Any],
    moment: Callable[[Event], bool],
    *,
    known: bool = True,
) -> None:
    """Kill the verb's process at a moment. `known`: it ran on this machine, so others see that it is gone."""

    def kill(event: Event) -> None:
        if moment(event):
            raise KilledError

    ledger: Any = rehearsal.ledger
    release_lease, ledger.release_lease = ledger.release_lease, keep_lease
    with pytest.raises(KilledError):
        verb(replace(rehearsal.context("dev", pid=DEAD), progress=kill))
    ledger.release_lease = release_lease
    if known:
        rehearsal.dead.add(DEAD)


def left_in(
    rehearsal: Rehearsal,
    phase: Phase,
    verb: Callable[[delivery.Context], Any] = delivery.release,
    *,
    known: bool = True,
) -> None:
    """Kill the verb's process as its rollout enters `phase`."""

    def entered(event: Event) -> bool:
        began = isinstance(event, RolloutStarted) and event.rollout.phase is phase
        return began or (isinstance(event, PhaseEntered) and event.phase is phase)

    killed_when(rehearsal, verb, entered, known=known)


def check_out_bad(rehearsal: Rehearsal, version: str, **behaviour: Any) -> str:
    """A version that behaves badly in dev; its release id."""
    rehearsal.check_out(version)
    dev = rehearsal.environment("dev")
    made = build_release("orders", str(dev.image), rehearsal.facts(), rehearsal.clock.now(), dev.settings)
    dev.behaviour[made.id] = Behaviour(**behaviour)
    return made.id
