"""Default providers' names and inputs, durations, targets, and references."""

from __future__ import annotations

import pytest

from slipway.engine.decoding import parse_duration
from slipway.engine.deployment.context import matches_target
from slipway.engine.deployment.providers import (
    ProviderSource,
    default_provider_goal,
    default_provider_name,
    reference_to,
    with_engine_inputs,
)
from slipway.engine.values import UNKNOWN_SENTINEL, Secret
from slipway.errors import UsageError


@pytest.mark.parametrize(
    ("version", "url", "name"),
    [
        ("", "", "default"),
        ("7.51.1", "", "default_7_51_1"),
        ("1.2.3-alpha.1", "", "default_1_2_3_alpha_1"),
        ("1.2.3+build.5", "", "default_1_2_3_build_5"),
        ("1.2.3", "https://example.org/x", "default_1_2_3_https___example.org_x"),
    ],
)
def test_default_provider_is_named_as_pulumi_does(version: str, url: str, name: str) -> None:
    assert default_provider_name(version, url) == name


def test_default_provider_takes_its_namespace_of_the_configuration() -> None:
    config = {"aws:region": "eu-west-1", "aws:token": "hush", "awsx:y": "1", "proj:region": "no"}
    goal = default_provider_goal(ProviderSource(package="aws", version="7.51.1"), config, frozenset({"aws:token"}))
    assert with_engine_inputs(goal) == {
        "region": "eu-west-1",
        "token": Secret("hush"),
        "version": "7.51.1",
        "__internal": {},
    }


def test_plugin_url_goes_into_the_engines_part_of_the_inputs() -> None:
    goal = default_provider_goal(
        ProviderSource(package="x", plugin_download_url="https://example.org"), {}, frozenset()
    )
    assert with_engine_inputs(goal) == {"__internal": {"pluginDownloadURL": "https://example.org"}}


def test_provider_of_no_version_and_no_url_has_no_part_of_the_engines() -> None:
    assert with_engine_inputs(default_provider_goal(ProviderSource(package="x"), {}, frozenset())) == {}


def test_reference_to_a_provider_of_no_id_yet_is_the_unknown_one() -> None:
    assert reference_to("urn:x", "") == f"urn:x::{UNKNOWN_SENTINEL}"


@pytest.mark.parametrize(("text", "seconds"), [("", 0), ("10m", 600), ("1h30m", 5400), ("1.5s", 1.5), ("250ms", 0.25)])
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["10", "soon", "m10", "10 m", "-5s"])
def test_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("urn:pulumi:d::p::a:b:C::x", True),
        ("**::x", True),
        ("urn:pulumi:d::p::a:b:*::x", True),
        ("*::x", False),
        ("**y", False),
    ],
)
def test_target_patterns(pattern: str, matches: bool) -> None:
    assert matches_target(pattern, "urn:pulumi:d::p::a:b:C::x") is matches
