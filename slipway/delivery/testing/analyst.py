"""Answers to `rollout.analysis` in the simulated world: those a test prepares, and good ones otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slipway.contract.analysis import AnalysisEntry
from slipway.delivery.model.analysis import Answer, Question

GOOD_TOTAL = 1000


@dataclass(frozen=True)
class SimulatedAnalyst:
    """Implements `ports.Analyst`."""

    prepared: Callable[[Question], Answer | None]

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer]:
        """See `Analyst.ask`."""
        return [self.prepared(question) or good_answer(question.entry) for question in questions]


def good_answer(entry: AnalysisEntry) -> Answer:
    """Just within the limits, or none bad of many."""
    if entry.counts:
        return Answer(bad=0, total=GOOD_TOTAL)
    return Answer(value=entry.minimum if entry.maximum is None else entry.maximum)
