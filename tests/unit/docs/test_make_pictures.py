"""The script for the README's picture knows when traffic is divided, and keeps the right picture. Not shown: Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs import make_pictures
from docs.make_pictures import ENVIRONMENT, is_divided, photograph
from slipway import delivery
from slipway.delivery.reporting import as_json, read_status
from slipway.delivery.testing.rehearsal import Rehearsal


@pytest.fixture
def status() -> Any:
    """What the dashboard says of one environment, one colour live."""
    rehearsal = Rehearsal()
    rehearsal.environment(ENVIRONMENT)
    rehearsal.check_out("1.0.0")
    delivery.release(rehearsal.context(ENVIRONMENT))
    return as_json(read_status(rehearsal.ledger, None))


@pytest.mark.parametrize(("live", "other", "divided"), [(50, 50, True), (90, 10, True), (100, 0, False)])
def test_traffic_is_divided_when_both_colours_have_some(status: Any, live: int, other: int, divided: bool) -> None:
    first, second = status[0]["colours"].values()
    assert {"actual_percent", "wanted_percent"} <= first.keys()
    first["actual_percent"], second["actual_percent"] = live, other
    assert is_divided(status) is divided


def test_traffic_is_not_divided_where_the_load_balancer_is_unread_or_nothing_runs(status: Any) -> None:
    assert is_divided(status) is False
    assert is_divided([]) is False


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "images" / "dashboard.png"
    monkeypatch.setattr(make_pictures, "PICTURE", path)
    monkeypatch.setattr(make_pictures, "POLL_SECONDS", 0)
    return path


def take_pictures(seen: Iterator[bool], rounds: int) -> int:
    """Pictures named by their number, for what is seen before and after each."""
    numbers, more = iter(range(100)), iter([True] * rounds + [False])
    return photograph(
        while_=lambda: next(more),
        divided=lambda: next(seen),
        take=lambda file: file.write_text(str(next(numbers))) and None,
    )


def test_last_picture_with_divided_traffic_is_kept(picture: Path) -> None:
    assert take_pictures(iter([False, True, True, True, True, False]), 4) == 2
    assert picture.read_text() == "1"


def test_picture_during_which_traffic_moved_on_is_dropped(picture: Path) -> None:
    assert take_pictures(iter([True, True, True, False]), 2) == 1
    assert picture.read_text() == "0"
