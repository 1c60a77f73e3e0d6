"""The ledger's document, as the program reads it."""

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
