"""Many random histories. Seeds begin where those of the unit tests end; `make bench` plays more."""

from __future__ import annotations

import pytest

from tests.histories import play

FIRST, HISTORIES, CHUNK = 1_000, 2_000, 100


@pytest.mark.parametrize("first", range(FIRST, FIRST + HISTORIES, CHUNK))
@pytest.mark.timeout(1800)
def test_history_harms_nobody_and_ends_where_a_release_goes_through(first: int) -> None:
    assert sum(play(seed).ways_back for seed in range(first, first + CHUNK)) > CHUNK / 20
