"""Into which parts a bake is divided, what a start of the test with each of them weighs, and which of them are kept with the rollout.

A bake may last longer than planned: it is extended, paused, or waits for approval. Its stretches go on, and so do the starts.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipway.delivery.model.analysis import Measurement
from slipway.delivery.model.rollout import Step
from slipway.delivery.model.target import RolloutSettings

MAXIMUM_STRETCHES = 60
"""Planned ones of a rollout that never has more steps than that."""
FIRST, PLANNED, LATER = 0.5, 0.4, 0.1
"""Weights of the start with the rollout (most bad releases are bad from the beginning), and of all others together."""
FINE = 8
"""So many of the newest stretches beyond the plan are kept, half as many of twice the length before them, and so on."""


def stretches_in_step(settings: RolloutSettings, steps: Sequence[Step]) -> int:
    """Into how many parts a bake is divided as planned."""
    wanted = int(settings.bake_seconds // settings.window_seconds)
    return max(1, min(wanted, MAXIMUM_STRETCHES // _analysed(steps)))


def weight_of_start(settings: RolloutSettings, steps: Sequence[Step], bake: int, stretch: int) -> float:
    """Of a start with this stretch of the rollout's bake of this number; both count from 0. All together are 1 at most, however many."""
    if bake == stretch == 0:
        return FIRST
    count, bakes = stretches_in_step(settings, steps), _analysed(steps)
    planned = count if bake < bakes else 0
    if stretch < planned:
        return PLANNED / (count * bakes - 1)
    return LATER * _one_of_many(bake) * _one_of_many(stretch - planned)


def needed(
    measurements: Sequence[Measurement], settings: RolloutSettings, steps: Sequence[Step]
) -> Sequence[Measurement]:
    """The last measurement of each stretch. Beyond the plan older ones are joined: what began long ago is found in longer parts."""
    ends = {(each.since, each.stretch): each for each in measurements}
    newest = {each.since: each for each in ends.values()}
    count = stretches_in_step(settings, steps)

    def kept(each: Measurement) -> bool:
        beyond = each.stretch - count + 1
        return beyond <= 0 or newest[each.since].stretch - each.stretch < FINE * (beyond & -beyond)

    return [each for each in ends.values() if kept(each)]


def _analysed(steps: Sequence[Step]) -> int:
    return max(1, sum(step.analyse for step in steps))


def _one_of_many(number: int) -> float:
    """1/2, 1/6, 1/12 …: all of them are 1."""
    return 1 / ((number + 1) * (number + 2))
