"""The ledger's document, as the program reads it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from components import ColourRelease, PodSettings
from components.pod_template import render_pod_template
from infra.live_settings import find_differences
from infra.wanted import Wanted
from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.model import wanted as delivery

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


def test_colour_keeps_the_settings_it_was_released_with() -> None:
    template = json.dumps(render_pod_template("orders", PodSettings(port=8081)))
    settings = {"format": 1, "template": template, "secrets": "abc123", "deregistration_delay_seconds": 15}
    running = {"release": "r-1", "version": "1.0.0", "image": f"orders@{DIGEST}", "settings": settings}
    wanted = Wanted.model_validate(
        {
            "live": "blue",
            "test": "green",
            "colours": {"blue": running, "green": None},
            "weights": {"blue": 100, "green": 0},
        }
    )
    blue = wanted.releases()["blue"]
    assert blue
    assert (blue.template, blue.secrets, wanted.ports()) == (template, "abc123", [8081])
    assert wanted.settings()["blue"].deregistration_delay_seconds == 15


def test_document_of_delivery_is_what_the_program_reads() -> None:
    settings = ColourSettings(template='{"spec": {}}', secrets="abc123", deregistration_delay_seconds=15)
    release = delivery.ColourRelease(release="r-1", image=f"orders@{DIGEST}", version="1.0.0", settings=settings)
    document = delivery.dump_wanted(replace(delivery.Wanted.initial(), green=release))
    assert Wanted.model_validate_json(document).settings() == {"green": settings}
    assert delivery.load_wanted(document).green == release


def test_differences_name_each_value_and_no_secret() -> None:
    def settings(secrets: str, **pod: int) -> ColourSettings:
        return ColourSettings(template=json.dumps(render_pod_template("orders", PodSettings(**pod))), secrets=secrets)

    live = settings("abc123", memory_mib=192)
    assert find_differences(live, live) == []
    assert find_differences(live, settings("def456", memory_mib=256)) == [
        "spec.containers[orders].resources.requests.memory: 192Mi → 256Mi",
        "spec.containers[orders].resources.limits.memory: 192Mi → 256Mi",
        "a secret has another value",
    ]
