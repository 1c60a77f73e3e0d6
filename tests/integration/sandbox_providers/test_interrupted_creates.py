"""A create that was interrupted between AWS's answer and the saved state: the next run finds what it made, whatever its kind.

Not proven here: that a killed process leaves such a journal; see test_killed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from provider_kit import context, made, next_run

from slipway.providers.provider import CreateResult
from slipway.sandbox.providers.aws import AwsProvider
from slipway.sandbox.providers.framework.journal import Journal

VPC, REPOSITORY = "aws:ec2/vpc:Vpc", "aws:ecr/repository:Repository"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "named": (REPOSITORY, {"name": "by-name"}),
    "auto-named": (REPOSITORY, {}),
    "keyless": (VPC, {"cidrBlock": "10.31.0.0/16"}),
    "keyless with a generated id": ("aws:kms/key:Key", {"description": "interrupted"}),
    "tagless": (
        "aws:cloudwatch/dashboard:Dashboard",
        {"dashboardName": "interrupted", "dashboardBody": '{"widgets": []}'},
    ),
    "tagless and auto-named": ("aws:iam/rolePolicy:RolePolicy", {"role": "interrupted", "policy": POLICY}),
}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "creates.sqlite")


def create(run: AwsProvider, token: str, key: str, stack: str = "dev", seed: str = "", **program: Any) -> CreateResult:
    """Check and create in one run; each run has a seed of its own."""
    ctx = context(token, key, stack, seed or str(id(run)))
    result = run.check(ctx, {}, program)
    assert not result.failures, result.failures
    return run.create(ctx, result.inputs)


def lose_answer(journal: Journal) -> None:
    """As if the provider had been killed before AWS's answer came."""
    journal.execute("UPDATE creates SET id = ''")


@pytest.fixture(scope="module", autouse=True)
def role(provider: AwsProvider) -> None:
    made(provider, "aws:iam/role:Role", "interrupted", name="interrupted", assumeRolePolicy=TRUST)


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_next_run_finds_it(provider: AwsProvider, journal: Journal, kind: str, answered: bool) -> None:
    token, program = KINDS[kind]
    key = f"{kind.replace(' ', '-')}-{answered}"
    if kind == "named":
        program = {"name": key.lower()}
    first = create(next_run(provider, journal), token, key, **program)
    if not answered:
        lose_answer(journal)
    second = create(next_run(provider, journal), token, key, **program)
    assert second.id == first.id
    assert second.outputs == first.outputs


def test_next_run_finds_it_by_its_id_when_the_name_was_made_at_the_last_moment(
    provider: AwsProvider, journal: Journal
) -> None:
    """`namePrefix`: not even the journal knows the name before AWS has answered."""
    topic, program = "aws:sns/topic:Topic", {"namePrefix": "interrupted-"}
    first = create(next_run(provider, journal), topic, "prefixed", **program)
    assert create(next_run(provider, journal), topic, "prefixed", **program).id == first.id


def test_next_run_finds_it_when_the_daemon_was_killed(provider: AwsProvider, tmp_path: Path) -> None:
    first = create(next_run(provider, Journal(tmp_path / "kept.sqlite")), VPC, "kept", cidrBlock="10.32.0.0/16")
    again = next_run(provider, Journal(tmp_path / "kept.sqlite"))
    assert create(again, VPC, "kept", cidrBlock="10.32.0.0/16").id == first.id


def test_preview_shows_the_name_that_the_interrupted_create_generated(provider: AwsProvider, journal: Journal) -> None:
    first = create(next_run(provider, journal), REPOSITORY, "shown")
    checked = next_run(provider, journal).check(context(REPOSITORY, "shown", seed="another"), {}, {})
    assert checked.inputs["name"] == first.id
    named = next_run(provider, journal).check(context(REPOSITORY, "shown"), {}, {"name": "by-the-program"})
    assert named.inputs["name"] == "by-the-program"


@pytest.mark.parametrize("kind", ["auto-named", "keyless"])
def test_is_made_again_when_a_run_knew_it_from_the_state(provider: AwsProvider, journal: Journal, kind: str) -> None:
    token, program = KINDS[kind]
    first = create(next_run(provider, journal), token, "known", **program)
    run, ctx = next_run(provider, journal), context(token, "known")
    inputs = run.check(ctx, first.outputs, program).inputs
    run.diff(ctx, first.id, inputs, first.outputs, inputs)
    assert create(next_run(provider, journal), token, "known", **program).id != first.id


def test_generated_name_is_new_in_a_replacement(provider: AwsProvider, journal: Journal) -> None:
    """Another run: its diff closes the note before it checks the new half."""
    first = create(next_run(provider, journal), REPOSITORY, "replaced", seed="first")
    run, ctx = next_run(provider, journal), context(REPOSITORY, "replaced", seed="second")
    olds = {"name": first.id, "__defaults": ["name"]}
    run.diff(ctx, first.id, olds, first.outputs, {**olds, "encryptionConfigurations": [{"encryptionType": "KMS"}]})
    assert run.check(ctx, {}, {}).inputs["name"] != first.id


def test_other_stacks_and_backends_find_nothing(provider: AwsProvider, journal: Journal) -> None:
    first = create(next_run(provider, journal), VPC, "mine", cidrBlock="10.34.0.0/16")
    other = create(next_run(provider, journal), VPC, "mine", stack="prod", cidrBlock="10.34.0.0/16")
    elsewhere = create(next_run(provider, journal, backend="file:///b"), VPC, "mine", cidrBlock="10.34.0.0/16")
    assert len({first.id, other.id, elsewhere.id}) == 3


def test_change_is_applied_to_what_is_found(provider: AwsProvider, journal: Journal) -> None:
    first = create(next_run(provider, journal), VPC, "changed", cidrBlock="10.35.0.0/16")
    program = {"cidrBlock": "10.35.0.0/16", "enableDnsHostnames": True}
    second = create(next_run(provider, journal), VPC, "changed", **program)
    assert (second.id, second.outputs["enableDnsHostnames"]) == (first.id, True)


def test_is_made_anew_when_it_cannot_become_what_is_wanted_now(provider: AwsProvider, journal: Journal) -> None:
    first = create(next_run(provider, journal), VPC, "anew", cidrBlock="10.36.0.0/16")
    second = create(next_run(provider, journal), VPC, "anew", cidrBlock="10.37.0.0/16")
    assert second.id != first.id
    assert next_run(provider).read(context(VPC, "anew"), first.id, {}, {}).id == ""
    keys = [{"encryptionType": kind} for kind in ("AES256", "KMS")]
    before = create(next_run(provider, journal), REPOSITORY, "anew", name="anew", encryptionConfigurations=keys[:1])
    after = create(next_run(provider, journal), REPOSITORY, "anew", name="anew", encryptionConfigurations=keys[1:])
    assert after.id == before.id == "anew"
    assert after.outputs["encryptionConfigurations"][0]["encryptionType"] == "KMS"
