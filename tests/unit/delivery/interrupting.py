"""Processes that are killed half-way: their lease and their rollout stay behind, as after a real kill -9."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import Event, PhaseEntered, RolloutStarted
from slipway.delivery.model.lease import Lease
from slipway.delivery.model.rollout import Phase
from slipway.delivery.planning import build_release
from slipway.delivery.ports import Place
from slipway.delivery.simulation.rehearsal import Rehearsal
from slipway.delivery.simulation.world import Behaviour

DEAD = 7
"""Process id of who is killed."""


class KilledError(BaseException):
    """Stands for kill -9: nothing may catch it, and nothing is written after it."""


def keep_lease(_place: Place, _lease: Lease) -> None:
    """What a killed process does about its lease."""


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
    made = build_release("orders", str(dev.image), rehearsal.facts(), rehearsal.clock.now())
    dev.behaviour[made.id] = Behaviour(**behaviour)
    return made.id
