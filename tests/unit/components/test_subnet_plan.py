"""The division of a VPC's addresses."""

from itertools import combinations

import pytest

from components.errors import ArgsError
from components.subnet_plan import plan_subnets

ZONES = [f"us-east-1{letter}" for letter in "abcdef"]


@pytest.mark.parametrize("prefix", [16, 20, 22])
def test_subnets_never_overlap_and_stay_inside(prefix: int) -> None:
    plan = plan_subnets(f"10.20.0.0/{prefix}", ZONES)
    blocks = [block for zone in plan.values() for block in (zone.public, zone.private)]
    assert all(not first.overlaps(second) for first, second in combinations(blocks, 2))
    assert all(str(block).startswith("10.20.") for block in blocks)


def test_subnets_keep_their_blocks_when_a_zone_is_added() -> None:
    two, three = plan_subnets("10.20.0.0/16", ZONES[:2]), plan_subnets("10.20.0.0/16", ZONES[:3])
    assert {zone: three[zone] for zone in two} == two


@pytest.mark.parametrize(
    ("cidr", "zones", "field"),
    [
        ("10.20.0.0/8", ZONES[:2], "cidr"),
        ("10.20.0.1/16", ZONES[:2], "cidr"),
        ("ten", ZONES[:2], "cidr"),
        ("10.20.0.0/16", ZONES[:1], "zones"),
        ("10.20.0.0/16", ["a", "a"], "zones"),
    ],
)
def test_refuses_ranges_and_zones_that_cannot_be_divided(cidr: str, zones: list[str], field: str) -> None:
    with pytest.raises(ArgsError) as caught:
        plan_subnets(cidr, zones)
    assert caught.value.field == field
