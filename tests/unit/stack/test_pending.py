"""Creates that a killed run left in the state."""

from __future__ import annotations

from typing import Any

from slipway.stack.pending import interrupted_creates, refusal, without_interrupted_creates

URN = "urn:pulumi:dev::shop::shop:index:Net$aws:ec2/vpc:Vpc::net-vpc"


def export(*kinds: str) -> dict[str, Any]:
    operations = [{"type": kind, "resource": {"urn": URN}} for kind in kinds]
    return {"version": 3, "deployment": {"resources": [{"urn": "u"}], "pending_operations": operations}}


def test_only_creates_are_dropped() -> None:
    state = export("creating", "updating")
    assert interrupted_creates(state) == (URN,)
    kept = without_interrupted_creates(state)
    assert [item["type"] for item in kept["deployment"]["pending_operations"]] == ["updating"]
    assert kept["deployment"]["resources"] == state["deployment"]["resources"]


def test_stack_without_a_deployment_has_none() -> None:
    assert interrupted_creates({"version": 3, "deployment": None}) == ()
    assert interrupted_creates({"version": 3, "deployment": {"manifest": {}}}) == ()


def test_refusal_names_some_and_counts_the_rest() -> None:
    text = str(refusal([URN] * 12, "dev"))
    assert text.count("net-vpc (aws:ec2/vpc:Vpc)") == 10
    assert "and 2 more" in text
    assert "pulumi refresh --stack dev" in text
