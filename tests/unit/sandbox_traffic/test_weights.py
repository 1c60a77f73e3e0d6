"""The split of requests between target groups, without HAProxy."""

from __future__ import annotations

from itertools import accumulate

import pytest

from slipway.sandbox.traffic.model import WeightedGroup
from slipway.sandbox.traffic.weights import SLOTS, STRIDE, assign_slots


def _served(weights: dict[str, int], requests: int) -> list[str]:
    slots = assign_slots([WeightedGroup(arn, weight) for arn, weight in weights.items()])
    return [slots[number * STRIDE % SLOTS] for number in range(requests)]


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({"blue": 90, "green": 10}, {"blue": 900, "green": 100}),
        ({"blue": 1, "green": 1, "red": 1}, {"blue": 334, "green": 333, "red": 333}),
        ({"blue": 999, "green": 1}, {"blue": 999, "green": 1}),
        ({"blue": 999, "green": 999, "red": 1}, {"blue": 500, "green": 499, "red": 1}),
        ({"blue": 0, "green": 7}, {"green": 1000}),
    ],
)
def test_every_thousand_requests_are_split_exactly(weights: dict[str, int], shares: dict[str, int]) -> None:
    served = _served(weights, 3 * SLOTS)
    for start in (0, 500, 1999):
        window = served[start : start + SLOTS]
        assert {arn: window.count(arn) for arn in set(window)} == shares


@pytest.mark.parametrize("percent", [1, 5, 10, 25, 50])
def test_short_runs_are_within_two_requests_of_their_share(percent: int) -> None:
    served = _served({"blue": 100 - percent, "green": percent}, 2 * SLOTS)
    seen = [0, *accumulate(int(arn == "green") for arn in served)]
    for window in (20, 100, 200):
        worst = max(abs(seen[start + window] - seen[start] - window * percent / 100) for start in range(SLOTS))
        assert worst <= 2


@pytest.mark.parametrize("repeated", [2, 3, 4, 5, 10])
def test_a_client_that_repeats_its_requests_sees_each_of_them_split(repeated: int) -> None:
    served = _served({"blue": 50, "green": 50}, 200 * repeated)
    for first in range(repeated):
        share = served[first::repeated].count("green") / 200
        assert 0.45 <= share <= 0.55


def test_nothing_is_served_when_every_weight_is_zero() -> None:
    assert assign_slots([WeightedGroup("blue", 0), WeightedGroup("green", 0)]) == ()
