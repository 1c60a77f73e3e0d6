"""The three stacks of `infra/` on the real engine: what they are made of, what policies say, and what an upgrade would replace.

`snapshots/` has dev whole, and of the others what they have otherwise: update the snapshots twice after a change.
`states/` has each stack as the last release left it; record it again when a release is out: `pytest tests/integration/infra
--slipway-record`. A renamed or replaced database must fail here, whatever else is wanted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pytest

from infra.program import deploy as program
from slipway.testing import Deployment
from tests.integration.conftest import WANTED

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
STACKS = ["dev", "staging", "prod"]
PRECIOUS = (
    aws.ec2.Vpc,
    aws.ec2.Subnet,
    aws.eks.Cluster,
    aws.kms.Key,
    aws.lb.LoadBalancer,
    aws.lb.TargetGroup,
    aws.rds.Instance,
    "kubernetes:core/v1:Namespace",
)
"""What holds data or addresses, or takes everything in it along."""
OF_THE_ORGANISATION = (aws.dynamodb.Table, aws.ecr.LifecyclePolicy, aws.ecr.Repository)
"""Images and ledger: other environments run what is in them."""


@pytest.mark.parametrize("stack", STACKS)
def test_stack_is_what_its_snapshot_has_within_the_policies(
    stack: str,
    deploy: Callable[..., Deployment],
    stack_options: dict[str, Any],
    match_snapshot: Callable[..., None],
) -> None:
    deployed = deploy(program, stack=stack, policy_packs=[ROOT / "policies"], **stack_options)

    assert deployed.violations == []
    assert deployed.diagnostics == []
    assert not [each for kind in OF_THE_ORGANISATION for each in deployed.find(kind)], "a destroy would take it along"
    assert not deployed.find("kubernetes:core/v1:Secret"), "no pod has a password"
    dev = HERE / "snapshots/dev.yaml"
    match_snapshot(deployed, HERE / f"snapshots/{stack}.yaml", base=None if stack == "dev" else dev)
    deployed.preview().assert_no_changes()


@pytest.mark.parametrize("stack", STACKS)
def test_upgrade_from_the_last_release_keeps_what_is_precious(
    stack: str, upgrade_from: Callable[..., Deployment], stack_options: dict[str, Any]
) -> None:
    state = HERE / f"states/{stack}.json"
    planned = upgrade_from(state, program, stack=stack, **stack_options)

    planned.assert_keeps(*PRECIOUS)
    recorded = json.loads(state.read_text())["deployment"]["resources"]
    assert {r["urn"] for r in recorded if r.get("protect")} <= {r.urn for r in planned.resources if r.protect}


def test_up_after_changed_settings_leaves_both_colours_and_says_what_differs(
    deploy: Callable[..., Deployment], stack_options: dict[str, Any]
) -> None:
    settings = deploy(program, stack="dev", **stack_options).outputs["delivery"]["colourSettings"]
    released = {**WANTED["colours"]["blue"], "settings": settings}
    ledger = {**WANTED, "colours": {"blue": released, "green": {**released, "release": "r2"}}}
    item = {"item": json.dumps({"document": {"S": json.dumps(ledger)}})}
    stack_options["invokes"]["aws:dynamodb/getTableItem:getTableItem"] = item
    before = deploy(program, stack="dev", **stack_options)
    assert before.diagnostics == []

    service = {"name": "orders", "memoryMib": 64, "port": 8081, "slowestRequestSeconds": 5}
    after = deploy(program, stack="dev", **stack_options, config={"slipway:service": service})

    def pods(deployed: Deployment) -> dict[str, Any]:
        kinds = ("kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service")
        return {f"{kind} {each.name}": each.inputs for kind in kinds for each in deployed.find(kind)}

    assert pods(after) == pods(before)
    (said,) = after.diagnostics
    assert "settings differ from what is live in dev" in said
    assert "spec.containers[orders].resources.limits.memory: 192Mi → 64Mi" in said
    rules = [each.inputs for each in after.find(aws.vpc.SecurityGroupIngressRule) if each.name.endswith("dev-pods")]
    assert [(each["fromPort"], each["toPort"]) for each in rules] == [(8080, 8081)]
    delays = {each.inputs["deregistrationDelay"] for each in after.find(aws.lb.TargetGroup)}
    assert delays == {15}, "a colour that was released with slower requests is there still"
