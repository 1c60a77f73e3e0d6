"""The preview as a comment: priorities, cascades, risks, and no secret in any of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from slipway.errors import PolicyError
from slipway.stack.preview import UNKNOWN_TEXT, PlannedStep, Preview, name_unknowns
from slipway.stack.report import LIMIT_CHARACTERS, preview_markdown, render_markdown
from slipway.stack.result import StackResult


def step(op: str, kind: str, name: str = "thing", **fields: Any) -> PlannedStep:
    return PlannedStep(op=op, urn=f"urn:pulumi:dev::slipway::{kind}::{name}", **fields)


def rendered(*steps: PlannedStep, **fields: Any) -> str:
    return render_markdown(Preview(steps=steps, **fields), "dev")


def test_unchanged_stack_says_so_in_one_line() -> None:
    same = step("same", "aws:s3/bucket:Bucket")
    assert rendered(same, changes={"same": 41}) == "### Preview of `dev`: no changes (41 resources)\n"


def test_changes_are_counted_and_grouped_with_the_names_of_properties_only() -> None:
    text = rendered(
        step("create", "aws:sqs/queue:Queue", "jobs"),
        step(
            "update",
            "aws:lb/listener:Listener",
            "live",
            changed=("defaultActions[0].order",),
            new={"defaultActions": [{"order": 1}]},
        ),
        step("delete", "aws:sns/topic:Topic", "old"),
    )
    assert text.startswith("### Preview of `dev`: 1 to delete, 1 to create, 1 to update\n")
    assert "#### Update (1)\n- ~ `live` aws:lb/listener:Listener: `defaultActions[0].order`" in text


def test_replacement_says_which_property_forces_it_and_what_would_be_lost() -> None:
    text = rendered(
        step("replace", "aws:rds/instance:Instance", "orders", changed=("engine", "tags"), replaces_because=("engine",))
    )
    assert (
        "- `orders` (aws:rds/instance:Instance) is replaced because `engine` changes: the database would be lost"
        in text
    )
    assert "- ± `orders` aws:rds/instance:Instance: replaced because `engine` changes" in text
    assert text.index("Data at risk") < text.index("#### Replace")


def test_loss_of_protection_is_data_at_risk() -> None:
    change = step(
        "update",
        "aws:rds/instance:Instance",
        changed=("deletionProtection",),
        old={"deletionProtection": True},
        new={"deletionProtection": False},
    )
    assert "loses its protection: `deletionProtection` goes from True to False" in rendered(change)


def test_steps_that_only_follow_are_folded_away_from_the_real_ones() -> None:
    real = step("update", "aws:eks/cluster:Cluster", "cluster", changed=("version",), new={"version": "1.35"})
    provider = "urn:pulumi:dev::slipway::pulumi:providers:kubernetes::cluster"
    steps = (
        real,
        PlannedStep(op="update", urn=provider, changed=("kubeconfig",), new={"kubeconfig": UNKNOWN_TEXT}),
        step("update", "kubernetes:core/v1:Service", "blue", changed=("spec",), new={"spec": {}}, provider=provider),
        step("replace", "aws:ec2/tag:Tag", "tag", changed=("resourceId",), new={"resourceId": UNKNOWN_TEXT}),
    )
    text = rendered(*steps)
    assert "1 to update, 3 only follow" in text
    assert text.index("`cluster`") < text.index("<details><summary>Only follows from the above (3)</summary>")


def rule(cidr: str, port: int = 443) -> dict[str, Any]:
    return {"ingress": [{"fromPort": port, "toPort": port, "cidrBlocks": [cidr]}]}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (rule("10.0.0.0/16"), rule("0.0.0.0/0", 22), "opens port 22 to 0.0.0.0/0"),
        (rule("0.0.0.0/0"), rule("0.0.0.0/0"), None),
        ({}, rule("10.1.0.0/16"), None),
        ({}, rule("10.0.0.0/8"), "opens port 443 to 10.0.0.0/8"),
        ({}, {"ingress": [{"fromPort": 0, "toPort": 0, "ipv6CidrBlocks": ["::/0"]}]}, "opens port any to ::/0"),
    ],
)
def test_security_group_that_opens_wider_is_named(old: dict[str, Any], new: dict[str, Any], line: str | None) -> None:
    text = rendered(
        step("update", "aws:ec2/securityGroup:SecurityGroup", "web", changed=("ingress",), old=old, new=new)
    )
    assert (f"- `web` {line}" in text) if line else ("Access becomes broader" not in text)


def policy(*actions: str, resource: str = "*") -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]})


def test_policy_that_allows_more_is_named_and_an_equal_one_is_not() -> None:
    kind = "aws:iam/rolePolicy:RolePolicy"
    more = step(
        "update", kind, "role", changed=("policy",), old={"policy": policy("s3:Get*")}, new={"policy": policy("s3:*")}
    )
    assert "- `role` allows s3:* on *" in rendered(more)
    assert "broader" not in rendered(replace(more, new=more.old))


def test_text_fits_the_limit_and_keeps_what_matters_most() -> None:
    many = [step("create", "aws:sqs/queue:Queue", f"queue-{number:05}") for number in range(5000)]
    text = rendered(*many, step("delete", "aws:rds/instance:Instance", "orders"))
    assert len(text) <= LIMIT_CHARACTERS
    assert "the database would be lost" in text
    assert "more lines do not fit" in text


def test_no_secret_of_inputs_texts_or_names_is_shown() -> None:
    secret = "hunter2-hunter2"
    text = rendered(
        step(
            "update",
            "aws:rds/instance:Instance",
            changed=("password",),
            old={"password": secret},
            new={"password": "[secret]"},
        ),
        policy=(f"advisory: no-plain: password={secret} is plain",),
        problems=(f"cannot connect to postgres://orders:{secret}@10.0.0.1/orders",),
    )
    assert secret not in text
    assert "`password`" in text


def test_markup_of_others_is_not_interpreted() -> None:
    assert "<img" not in rendered(step("create", "aws:sqs/queue:Queue", "<img src=x>"), problems=("<script>",))


def test_sentinels_of_unknown_values_are_named() -> None:
    assert name_unknowns({"a": ["04da6b54-80e4-46f7-96ec-b56ff0331ba9", 1]}) == {"a": [UNKNOWN_TEXT, 1]}


def test_refused_preview_is_described_and_still_fails() -> None:
    class Refusing:
        name = "dev"

        def preview(self) -> StackResult:
            raise PolicyError("preview of dev is refused by policy:\nimages-by-digest: orders uses a tag")

    report = preview_markdown(Refusing())
    assert isinstance(report.failure, PolicyError)
    assert "### Preview of `dev`: refused" in report.markdown
    assert "- images-by-digest: orders uses a tag" in report.markdown


@pytest.mark.parametrize(
    "kind",
    [
        "aws:rds/instance:Instance",
        "aws:eks/cluster:Cluster",
        "kubernetes:core/v1:Namespace",
        "aws:lb/targetGroup:TargetGroup",
    ],
)
def test_replacement_of_what_holds_something_is_never_folded_away(kind: str) -> None:
    key = step("replace", "aws:kms/key:Key", "key", changed=("policy",), replaces_because=("policy",))
    holder = step(
        "replace", kind, "holder", changed=("kmsKeyId",), replaces_because=("kmsKeyId",), new={"kmsKeyId": UNKNOWN_TEXT}
    )
    text = rendered(key, holder)
    assert "Only follows" not in text
    assert "`holder`" in text
