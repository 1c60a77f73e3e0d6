"""The ledger's document, as the program reads it."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from components import ColourRelease
from infra.wanted import Wanted

DIGEST = "sha256:" + "0" * 64


def test_releases_give_each_colour_what_it_runs_or_nothing() -> None:
    wanted = Wanted.model_validate(
        {
            "live": "blue",
            "test": "green",
            "colours": {"blue": {"release": "r-1", "version": "1.0.0", "image": f"orders@{DIGEST}"}, "green": None},
            "weights": {"blue": 100, "green": 0},
            "revision": 3,
        }
    )
    assert wanted.releases() == {
        "blue": ColourRelease(release="r-1", version="1.0.0", image=f"orders@{DIGEST}"),
        "green": None,
    }


def test_floors_hold_while_a_rollout_is_under_way_and_then_until_their_time_is_over() -> None:
    wanted = Wanted.model_validate(
        {
            "live": "blue",
            "test": "green",
            "colours": {"blue": None, "green": None},
            "weights": {"blue": 100, "green": 0},
            "floors": {"blue": {"pods": 30, "until": None}, "green": {"pods": 15, "until": "2026-01-05T09:00:00Z"}},
        }
    )
    assert wanted.floors_at(datetime(2026, 1, 5, 8, 59, tzinfo=UTC)) == {"blue": 30, "green": 15}
    assert wanted.floors_at(datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) == {"blue": 30}


def test_refuses_a_weight_above_a_hundred() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 100"):
        Wanted.model_validate(
            {
                "live": None,
                "test": "green",
                "colours": {"blue": None, "green": None},
                "weights": {"blue": 101, "green": 0},
            }
        )
