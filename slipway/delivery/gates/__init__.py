"""Gates: what must hold before a rollout begins. Each is a pure function from facts to refusals that say the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.gates.freeze import refuse_frozen
from slipway.delivery.gates.holds import refuse_held
from slipway.delivery.gates.program import refuse_other_program
from slipway.delivery.gates.schema import refuse_incompatible_schema
from slipway.delivery.gates.upstream import refuse_unverified

Gate = Callable[[GateFacts], Iterator[Refusal]]

GATES: tuple[Gate, ...] = (
    refuse_frozen,
    refuse_held,
    refuse_unverified,
    refuse_other_program,
    refuse_incompatible_schema,
)


def evaluate_gates(facts: GateFacts) -> tuple[Refusal, ...]:
    """Every refusal of every gate, in the order of the gates."""
    return tuple(refusal for gate in GATES for refusal in gate(facts))


__all__ = ["GATES", "Gate", "GateFacts", "Refusal", "evaluate_gates"]
