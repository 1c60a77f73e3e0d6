"""Capacity: the nodes must hold both colours, before anybody waits for pods that cannot come."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.model.rollout import Kind

GATE = "capacity"


def refuse_without_room(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal where no node takes pods of the service now, or too few of those that the release needs beside live."""
    room, needed = facts.room, facts.needed_pods
    if facts.kind is not Kind.RELEASE or room is None or not needed:
        return
    bigger = "raise `slipway:cluster.nodes.maximum`"
    if room.fits is None and room.pending:
        text, what = f"{room.pending} pods are pending: {room.because}", "add nodes, or a cluster autoscaler"
    elif room.fits is not None and room.fits < needed:
        nodes = f"{room.nodes} of at most {room.maximum_nodes} nodes"
        pending = f"; {room.pending} are pending now: {room.because}" if room.pending else ""
        text = f"{facts.release.id} needs {needed} more pods beside live, and there is room for {room.fits} ({nodes}){pending}"
        what = bigger
    else:
        return
    yield Refusal(
        gate=GATE,
        text=text,
        remedy=f"{what} and run `slipway up {facts.environment}`, or repeat with --force --because REASON: then the release goes on with"
        " the pods that come in time",
    )
