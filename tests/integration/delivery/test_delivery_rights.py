"""Each verb of delivery as the role that the foundation gives it: it needs just these rights, and one less is one clear line.

Every call to AWS is read by the sandbox's judge before moto answers it. Not proven: what AWS's services do with a key in the caller's name
(DynamoDB and S3), which the sandbox does not judge; what `pulumi` asks; the signing of images, whose registry is not moto's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from slipway import delivery
from slipway.delivery.adapters import aws as delivery_aws
from slipway.delivery.events import PeopleAsked
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Phase
from slipway.delivery.testing.rehearsal import QUICK
from slipway.errors import OperationError
from tests.unit.delivery.interrupting import CONTRACT, EXPAND, killed_when, left_in

sys.path.insert(0, str(Path(__file__).parent))

from rights_kit import Caller, Company, Organisation, new_company, refusal_of, role_of

LEDGER = {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"}
TRAFFIC = {"elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeTargetHealth"}
SHIFT = {"elasticloadbalancing:ModifyListener"}
RULES = {"elasticloadbalancing:DescribeRules"}
"""Of the test route, and of `rollout.routes`, which a rollout takes away in the end."""
TOLD = {"sns:Publish"}
MEASURED = {"cloudwatch:GetMetricData"}
IMAGE = {"ecr:DescribeImages"}
READ = {"dynamodb:GetItem", "dynamodb:Query"}
WORD = {"dynamodb:GetItem", "dynamodb:PutItem"}
"""What somebody says of a rollout that somebody else runs."""
BACK = LEDGER | TRAFFIC | RULES | SHIFT | TOLD
ROLLOUT = BACK | IMAGE
RECORDED = LEDGER - {"dynamodb:PutItem"}
TAKEN = BACK - SHIFT - {"elasticloadbalancing:DescribeTargetHealth"}
"""Of what carries no traffic."""
BACKFILL = Revision(id="0003", phase=MigrationPhase.BACKFILL)


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One verb, where it is run, and what it asks of AWS."""

    run: Callable[[delivery.Context], Any]
    rights: set[str]
    state: str = "released"
    role: str = "deploy"
    environment: str = "dev"


VERBS = {
    "status": Verb(run=delivery.status, rights=READ | TRAFFIC),
    "release": Verb(run=delivery.release, rights=ROLLOUT | MEASURED),
    # The first one of its environment: it takes all traffic, and is measured against nothing.
    "promote": Verb(run=lambda ctx: delivery.promote(ctx, "dev"), rights=ROLLOUT, environment="staging"),
    "rollback": Verb(run=delivery.rollback, rights=BACK),
    "pause": Verb(run=delivery.pause, rights=WORD, state="baking"),
    "continue": Verb(run=delivery.continue_, rights=WORD, state="paused"),
    # From its last bake on: the traffic is there already.
    "resume": Verb(run=delivery.resume, rights=LEDGER | TRAFFIC | RULES | TOLD | MEASURED | IMAGE, state="baking"),
    "abort": Verb(run=delivery.abort, rights=BACK - {"dynamodb:Query"}, state="baking"),
    "abandon": Verb(run=delivery.abandon, rights=BACK - {"dynamodb:Query"}, state="baking"),
    "approve": Verb(run=delivery.approve, rights=WORD, state="asked"),
    "skip": Verb(run=lambda ctx: delivery.skip(ctx, because="it is clear"), rights=WORD, state="baking"),
    "rehearse": Verb(run=delivery.rehearse, rights=BACK),
    "lift": Verb(
        run=lambda ctx: delivery.lift(ctx, because="it was the network"), rights=RECORDED, state="rolled back"
    ),
    "retire": Verb(run=lambda ctx: delivery.retire(ctx, force=True, because="seen"), rights=TAKEN),
    "contract": Verb(run=delivery.contract, rights=TAKEN, state="contracting"),
    "backfill": Verb(run=delivery.backfill, rights=RECORDED - {"dynamodb:Query"} | TOLD, state="filling"),
    "forget": Verb(run=delivery.forget_destroyed, rights=RECORDED | {"dynamodb:DeleteItem"}, state="destroyed"),
    "explain": Verb(run=delivery.explain, rights=READ | IMAGE),
    "history": Verb(run=lambda ctx: delivery.history(ctx, 10), rights={"dynamodb:Query"}),
    "judge": Verb(run=lambda ctx: delivery.judgements(ctx, None), rights=READ),
}


def _bake(company: Company) -> None:
    company.check_out("3.0.0")
    left_in(company, Phase.BAKING)


def _ask(company: Company) -> None:
    company.check_out("3.0.0")
    company.environment("dev").rollout["steps"] = [{"percent": 100, "approval": True}]
    killed_when(company, delivery.release, lambda event: isinstance(event, PeopleAsked))


def _release_with(company: Company, *revisions: Revision) -> None:
    company.check_out("3.0.0", revisions=[EXPAND, *revisions])
    company.environment("dev").backfills.seconds = 10
    delivery.release(company.context("dev"))


def _contract(company: Company) -> None:
    _release_with(company, CONTRACT)
    company.clock.sleep(QUICK["rollbackWindowSeconds"] + 1)


STATES: dict[str, tuple[str, Callable[[Company], Any]]] = {
    "rolled back": ("released", lambda company: delivery.rollback(company.context("dev"))),
    "baking": ("released", _bake),
    "paused": ("baking", lambda company: delivery.pause(company.context("dev"))),
    "asked": ("released", _ask),
    "contracting": ("released", _contract),
    "filling": ("released", lambda company: _release_with(company, BACKFILL)),
    "destroyed": ("released", lambda company: company.context("dev").stack.destroy()),
}
"""From which state the owner makes each one, and how."""


class Scene:
    """States of the company, each made once by the owner, and taken up again for each verb."""

    def __init__(self) -> None:
        self.caller, self.organisation = Caller(), Organisation()
        self._states: dict[str, tuple[Company, Any]] = {}
        self.caller.become(None)
        company = new_company(self.organisation)
        for name, source in (("dev", {}), ("staging", {"promoteFrom": "dev"})):
            company.environment(name, steps=[100], bakeSeconds=2, metricWindowSeconds=2, **source)
        for version in ("1.0.0", "2.0.0"):
            company.check_out(version)
            delivery.release(company.context("dev"))
        self._keep("released", company)

    def _keep(self, state: str, company: Company) -> None:
        self._states[state] = (company, self.organisation.snapshot())

    def _make(self, state: str) -> None:
        self.caller.become(None)
        before, act = STATES[state]
        company = self.take(before)
        act(company)
        self._keep(state, company)

    def take(self, state: str) -> Company:
        """The company in this state, asked as who is the caller now."""
        if state not in self._states:
            self._make(state)
        company, found = self._states[state]
        self.organisation.restore(found)
        return company.copied()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as environ, mock_aws():
        environ.delenv("AWS_ENDPOINT_URL", raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environ.setenv(name, "test")
        environ.setattr(boto3, "DEFAULT_SESSION", None)
        yield Scene()
        delivery_aws.session.cache_clear()  # its calls are judged


@pytest.mark.parametrize("name", VERBS)
def test_verb_needs_the_rights_of_its_role_that_are_named_here_and_each_of_them(scene: Scene, name: str) -> None:
    verb = VERBS[name]
    company, role = scene.take(verb.state), role_of(verb.role, verb.environment)
    if name == "release":
        company.check_out("4.0.0")
    scene.caller.become(role)
    try:
        verb.run(company.asking().context(verb.environment))
    except delivery.ReleaseRolledBackError:
        assert name == "abort"
    assert (scene.caller.asked, scene.caller.refused) == (verb.rights, [])
    for right in verb.rights:
        poorer = role.without(right)
        refusals = [refusal for call in scene.caller.calls.values() if (refusal := refusal_of(call, poorer))]
        assert refusals, right
        for refusal in refusals:
            assert refusal.startswith(f"User: arn:aws:sts::123456789012:assumed-role/{role.name}/job is not authorized")
            assert f" to perform: {right} on resource: " in refusal


@pytest.mark.parametrize(
    ("name", "right"),
    [("pause", "dynamodb:PutItem"), ("resume", "dynamodb:GetItem"), ("release", "dynamodb:UpdateItem")],
)
def test_verb_without_a_right_ends_with_one_line_that_names_right_and_role(scene: Scene, name: str, right: str) -> None:
    verb = VERBS[name]
    company = scene.take(verb.state)
    scene.caller.become(role_of(verb.role, verb.environment).without(right))
    with pytest.raises(
        OperationError, match=f"^cannot .*assumed-role/slipway-deploy-dev/job is not authorized to perform: {right} "
    ):
        verb.run(company.asking().context(verb.environment))


def test_preview_role_changes_nothing(scene: Scene) -> None:
    company = scene.take("baking")
    scene.caller.become(role_of("preview", "dev"))
    with pytest.raises(OperationError, match="slipway-preview-dev/job is not authorized to perform: dynamodb:"):
        delivery.pause(company.asking().context("dev"))
