"""`slipway forget` with real-account settings: the ledger on moto, the state asked of a `pulumi` that only answers two questions."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.target import parse_target
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.ports import Context
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.wiring import build_context
from slipway.stack import PulumiStack, find_cli
from tests.command import run_slipway

PROJECT = Path(__file__).parents[3]
STACK = {"type": "pulumi:pulumi:Stack", "urn": "urn:pulumi:dev::slipway::pulumi:pulumi:Stack::slipway-dev"}
BUCKET = {"type": "aws:s3/bucket:Bucket", "urn": "urn:pulumi:dev::slipway::aws:s3/bucket:Bucket::logs"}

FAKE_PULUMI = """#!/bin/sh
case "$*" in
  version) echo v3.274.1 ;;
  *"stack export"*"--stack dev"*) cat "{state}" 2>/dev/null || {{ echo "error: no stack named 'dev' found" >&2; exit 6; }} ;;
  *) echo "error: nobody asked for this" >&2; exit 255 ;;
esac
"""

Leave = Callable[..., None]


@pytest.fixture
def leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leave:
    """What the stack's state has left, as the CLI tells it; uncalled: there is no stack."""
    state = tmp_path / "state.json"
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(FAKE_PULUMI.format(state=state))
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SLIPWAY_SANDBOX", raising=False)

    def write(*resources: dict[str, Any]) -> None:
        deployment = {"manifest": {}, **({"resources": resources} if resources else {})}
        state.write_text(json.dumps({"version": 3, "deployment": deployment}))

    return write


@pytest.fixture
def believing(ledger_table: str) -> Context:
    """A ledger that believes in a release, a migration and a load balancer in dev."""
    ctx = build_context(PROJECT, "dev", stack=PulumiStack(find_cli, PROJECT, "dev"))
    ctx.ledger.ensure(ctx.place)
    lease = ctx.ledger.acquire(ctx.place, ctx.owner, "test", ctx.clock.now())
    assert lease
    running = ColourRelease(release="r-1", image="registry/orders@sha256:" + "0" * 64, version="1.0.0")
    ctx.ledger.write_wanted(ctx.place, replace(ctx.ledger.wanted(ctx.place), blue=running), lease)
    applied = Schema().with_applied([Revision(id="0001", phase=MigrationPhase.EXPAND)])
    ctx.ledger.write_schema(ctx.place, applied, lease)
    environment = Rehearsal().environment("dev")
    environment.exists = True
    ctx.ledger.register(parse_target(environment.outputs()))
    ctx.ledger.release_lease(ctx.place, lease)
    return ctx


def forget_dev(monkeypatch: pytest.MonkeyPatch) -> int:
    return run_slipway(monkeypatch, "--project-dir", str(PROJECT), "forget", "dev", "--yes")


@pytest.mark.parametrize("left", [None, (), (STACK,)], ids=["no stack", "nothing", "the stack itself"])
def test_ledger_forgets_what_pulumi_destroyed(
    left: tuple[dict[str, Any], ...] | None,
    believing: Context,
    leave: Leave,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if left is not None:
        leave(*left)

    assert forget_dev(monkeypatch) == 0

    assert capsys.readouterr().out.splitlines() == [
        "dev: forgotten: blue 1.0.0 (r-1) at 100 % of the traffic",
        "dev: forgotten: a database migrated to 0001",
        "dev: forgotten: the address of its load balancer",
    ]
    assert believing.ledger.wanted(believing.place).releases() == {}
    assert believing.ledger.schema(believing.place) == Schema()
    assert delivery.status(believing) == ()
    assert forget_dev(monkeypatch) == 0
    assert capsys.readouterr().out == "dev: there was nothing to forget\n"


def test_refuses_to_forget_what_pulumi_has_not_destroyed(
    believing: Context, leave: Leave, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(STACK, BUCKET)
    assert forget_dev(monkeypatch) == 2
    told = capsys.readouterr().err
    assert "orders in dev: the stack still has 1 resource(s)" in told
    assert "slipway destroy dev" in told
    assert believing.ledger.wanted(believing.place).releases() != {}


def test_says_that_the_state_cannot_be_read_when_pulumi_fails(
    believing: Context,
    leave: Leave,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "state.json").write_text("")
    assert forget_dev(monkeypatch) == 1
    assert "pulumi failed" in capsys.readouterr().err
    assert believing.ledger.wanted(believing.place).releases() != {}
