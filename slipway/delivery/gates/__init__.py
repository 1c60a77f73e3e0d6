"""Gates: what must hold before a rollout begins. Each is a pure function from facts to refusals that say the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from slipway.delivery.gates.capacity import refuse_without_room
from slipway.delivery.gates.credentials import find_ending, refuse_ending
from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.gates.fitness import find_rejected, refuse_rejected, refuse_unverified
from slipway.delivery.gates.freeze import find_frozen, refuse_frozen
from slipway.delivery.gates.gone_back import refuse_going_further
from slipway.delivery.gates.image import refuse_changed_image, refuse_missing_image
from slipway.delivery.gates.order import refuse_open_window, refuse_overtaking
from slipway.delivery.gates.program import refuse_other_program
from slipway.delivery.gates.provenance import refuse_unproven
from slipway.delivery.gates.rehearsed import refuse_unrehearsed
from slipway.delivery.gates.schema import refuse_incompatible_schema, refuse_unfilled
from slipway.delivery.gates.verdict import find_failing

Gate = Callable[[GateFacts], Iterator[Refusal]]

GOING_ON: tuple[Gate, ...] = (refuse_frozen, refuse_ending, refuse_rejected)
"""Asked again before a rollout that was left half-way goes on."""
GATES: tuple[Gate, ...] = (
    *GOING_ON,
    refuse_unverified,
    refuse_unrehearsed,
    refuse_overtaking,
    refuse_open_window,
    refuse_changed_image,
    refuse_missing_image,
    refuse_unproven,
    refuse_other_program,
    refuse_incompatible_schema,
    refuse_unfilled,
    refuse_without_room,
)
AGAIN: tuple[Gate, ...] = (*GOING_ON, refuse_overtaking, refuse_missing_image)
"""Asked before a release that failed begins again by itself."""
UNNAMED: tuple[Gate, ...] = (refuse_going_further,)
"""Asked of a way back that names no release, about the one that would come."""


def evaluate_gates(facts: GateFacts, gates: Sequence[Gate] = GATES) -> tuple[Refusal, ...]:
    """Every refusal of every gate, in the order of the gates."""
    return tuple(refusal for gate in gates for refusal in gate(facts))


__all__ = [
    "AGAIN",
    "GATES",
    "GOING_ON",
    "UNNAMED",
    "Gate",
    "GateFacts",
    "Refusal",
    "evaluate_gates",
    "find_ending",
    "find_failing",
    "find_frozen",
    "find_rejected",
    "refuse_ending",
    "refuse_without_room",
]
