"""What a dry run tells people."""

from __future__ import annotations

from slipway.cli.delivery.outcome import plan_lines
from slipway.delivery.gates.facts import Refusal
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.rollout import Kind, Step
from slipway.delivery.planning import Plan


def test_dry_run_tells_traffic_migrations_changes_and_what_stands_in_the_way() -> None:
    plan = Plan(
        kind=Kind.RELEASE,
        release=None,
        colour=Colour.GREEN,
        steps=tuple(Step(percent=percent, bake_seconds=1, analyse=True) for percent in (10, 100)),
        refusals=(Refusal(gate="freeze", text="prod is frozen", remedy="wait"),),
        changes={"same": 70, "update": 2},
    )
    assert plan_lines(plan) == [
        "green takes the traffic: 10 % → 100 %",
        "migrations: none",
        "infrastructure: 2 to update",
        "refused (freeze): prod is frozen → wait",
    ]
