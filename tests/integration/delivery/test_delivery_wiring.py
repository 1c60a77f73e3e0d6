"""A context made for a project as the command line makes it, on moto; the stack alone is simulated."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from slipway import delivery
from slipway.contract.steps import shares
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.target import LoadBalancerRef, parse_target
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.wiring import build_context, connect, read_project, read_rollout
from slipway.errors import NotFoundError, OperationError, UsageError
from slipway.stack import PulumiStack
from slipway.stack.result import StackResult

PROJECT = Path(__file__).parents[3]


class NoStack(PulumiStack):
    """A stack that was never brought up."""

    def __init__(self) -> None:
        pass

    def preview(self) -> StackResult:
        return StackResult()

    def outputs(self, *, show_secrets: bool = True) -> dict[str, object]:
        return {}


def test_context_of_this_repository_s_dev_enters_it_in_the_ledger(
    aws: boto3.Session, request: pytest.FixtureRequest
) -> None:
    ctx = build_context(PROJECT, "dev", stack=NoStack())
    assert (ctx.place.environment, ctx.place.service) == ("dev", "orders")
    with pytest.raises(NotFoundError, match="run `slipway bootstrap`"):
        delivery.status(ctx)
    request.getfixturevalue("ledger_table")
    assert ctx.ledger.ensure(ctx.place) == ctx.ledger.ensure(ctx.place)
    assert delivery.status(ctx) == ()
    plan = delivery.release(ctx, dry_run=True).plan
    assert plan
    assert [revision.id for revision in plan.migrations.expand] == ["0001"]


def test_rollout_settings_are_read_of_the_stack_file_at_hand(tmp_path: Path) -> None:
    found = read_rollout(PROJECT, "prod")
    assert found
    assert (found.promote_from, found.steps) == ("staging", shares(5, 25, 50, 100))
    (tmp_path / "Pulumi.yaml").write_text("config: {slipway:rollout: {type: object, default: {}}}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    assert read_rollout(tmp_path, "dev") is None
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {slipway:rollout: {freezeWindows: [{start: soon}]}}\n")
    with pytest.raises(UsageError, match=r"slipway:rollout.freezeWindows.0.start.*slipway:rollout.freezeWindows.0.end"):
        read_rollout(tmp_path, "dev")


@pytest.mark.parametrize(
    ("table", "taken"),
    [("slipway-ledger", True), ("arn:aws:dynamodb:us-east-1:111111111111:table/slipway-ledger", True), ("a/b", False)],
)
def test_ledger_is_named_or_in_another_account_by_its_arn(table: str, taken: bool, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("config: {aws:region: {value: us-east-1}}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        f"config: {{slipway:service: {{name: orders}}, slipway:ledgerTable: '{table}'}}\n"
    )
    with nullcontext() if taken else pytest.raises(UsageError, match="slipway:ledgerTable"):
        assert read_project(tmp_path, "dev").ledger_table == table


@pytest.mark.parametrize("text", ['"222222222222"', "222222222222"], ids=["text", "number"])
def test_account_of_the_stack_file_is_compared_with_that_of_the_credentials(
    aws: boto3.Session, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("config: {aws:region: {value: us-east-1}}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        f"config: {{slipway:service: {{name: orders}}, slipway:accountId: {text}}}\n"
    )
    ctx = build_context(tmp_path, "dev", stack=NoStack())
    assert (ctx.account_id, ctx.caller_account()) == ("222222222222", "123456789012")
    with pytest.raises(UsageError, match="the AWS credentials are of account 123456789012, and dev is in 222222222222"):
        delivery.release(ctx)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert ctx.caller_account() is None


def test_status_asks_the_load_balancer_of_each_place(ledger_table: str, reference: LoadBalancerRef) -> None:
    ctx = build_context(PROJECT, "dev", stack=NoStack())
    ctx.ledger.ensure(ctx.place)
    environment = Rehearsal().environment("dev")
    environment.exists = True
    output = dict(environment.outputs()["delivery"]) | {
        "loadBalancer": reference.model_dump(mode="json", by_alias=True)
    }
    ctx.ledger.register(parse_target({"delivery": output}))
    (row,) = delivery.status(ctx)
    assert row.problem == ""
    assert {colour: status.actual_percent for colour, status in row.colours.items()} == {
        Colour.BLUE: 100,
        Colour.GREEN: 0,
    }
    (unasked,) = delivery.status(ctx, ask_load_balancers=False)
    assert unasked.colours[Colour.BLUE].actual_percent is None


def test_refuses_a_webhook_without_a_secret_to_sign_with(
    aws: boto3.Session, reference: LoadBalancerRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_WEBHOOK_URL", "https://hooks.example/x")
    environment = Rehearsal().environment("dev")
    environment.exists = True
    with pytest.raises(UsageError, match="without a secret to sign with"):
        connect(parse_target(environment.outputs()))


def test_who_still_sets_the_former_variable_of_prometheus_has_no_data_and_ways_back(
    aws: boto3.Session, reference: LoadBalancerRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_PROMETHEUS_URL", "https://prometheus.example")
    environment = Rehearsal().environment("dev")
    environment.exists = True
    world = connect(parse_target(environment.outputs()))
    (former,) = (source for source in world.metrics if source.source == "prometheus")
    with pytest.raises(OperationError, match="write an entry of type prometheus"):
        former.compare(Colour.GREEN, Colour.BLUE, datetime.now(UTC), datetime.now(UTC))


def test_reading_status_imports_neither_alembic_nor_the_kubernetes_client() -> None:
    """They take most of a second to import; `slipway status` is asked often."""
    code = "import sys, slipway.delivery.wiring; print(sorted({'alembic', 'kubernetes', 'pulumi'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.strip() == "[]"
