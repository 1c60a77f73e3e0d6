"""Checks and diffs of the AWS provider, without AWS: nothing here makes a client."""

from __future__ import annotations

import inspect
import json
import re
import sys
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from slipway.providers.provider import CallContext, DiffChanges, DiffKind
from slipway.providers.values import UNKNOWN
from slipway.sandbox.providers.framework.check import check_inputs
from slipway.sandbox.providers.framework.diff import diff_inputs
from slipway.sandbox.providers.framework.schema import resource_schema
from slipway.sandbox.providers.framework.settings import Settings
from slipway.sandbox.providers.services import registry

RESOURCES = registry.all_resources()
SETTINGS = Settings(
    region="eu-west-1", endpoint_url="http://127.0.0.1:1", access_key="a", secret_key="b", default_tags={"team": "shop"}
)
VPC = "aws:ec2/vpc:Vpc"
LISTENER = "aws:lb/listener:Listener"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]}


def check(
    token: str, olds: dict[str, Any] | None = None, /, *, logical: str = "main", **news: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """Checked inputs, and the refusals by property."""
    resource = RESOURCES[token]
    ctx = CallContext(urn=f"urn:pulumi:dev::shop::{token}::{logical}", type=token, name=logical, random_seed=b"seed")
    inputs, failures = check_inputs(resource, resource_schema(token), ctx, olds or {}, news, SETTINGS)
    return inputs, {failure.property: failure.reason for failure in failures}


def diff(
    token: str, olds: dict[str, Any], news: dict[str, Any]
) -> tuple[DiffChanges, dict[str, DiffKind], tuple[str, ...]]:
    """Changes, kinds by path, and what forces a replacement."""
    result = diff_inputs(RESOURCES[token], resource_schema(token), olds, news)
    return result.changes, {path: part.kind for path, part in (result.detailed or {}).items()}, result.replaces


def test_check_fills_defaults_region_and_tags_when_they_are_not_given() -> None:
    inputs, refused = check(VPC, cidrBlock="10.0.0.0/16", tags={"Name": "main"})
    assert not refused
    assert inputs == {
        "cidrBlock": "10.0.0.0/16",
        "enableDnsSupport": True,
        "instanceTenancy": "default",
        "region": "eu-west-1",
        "tags": {"Name": "main"},
        "tagsAll": {"Name": "main", "team": "shop"},
        "__defaults": ["enableDnsSupport", "instanceTenancy"],
    }


def test_refuses_a_property_that_the_type_does_not_have_and_names_the_right_one() -> None:
    _, refused = check(VPC, cidrblock="10.0.0.0/16")
    assert "did you mean cidrBlock?" in refused["cidrblock"]


def test_refuses_a_missing_property_at_any_depth() -> None:
    _, refused = check(
        LISTENER,
        loadBalancerArn="arn:lb",
        defaultActions=[{"type": "forward", "forward": {"targetGroups": [{"weight": 1}]}}],
    )
    assert list(refused) == ["defaultActions[0].forward.targetGroups[0].arn"]
    _, refused = check(LISTENER, loadBalancerArn="arn:lb")
    assert list(refused) == ["defaultActions"]


@pytest.mark.parametrize("port", ["80x", {"from": 80}, True, 80.5])
def test_refuses_a_port_that_is_no_number(port: Any) -> None:
    _, refused = check(
        LISTENER, loadBalancerArn="arn:lb", port=port, defaultActions=[{"type": "forward", "targetGroupArn": "arn:tg"}]
    )
    assert list(refused) == ["port"]


def test_check_converts_numbers_and_booleans_when_they_are_given_as_text() -> None:
    inputs, refused = check("aws:kms/key:Key", deletionWindowInDays="7", enableKeyRotation="true")
    assert not refused
    assert (inputs["deletionWindowInDays"], inputs["enableKeyRotation"]) == (7, True)


def test_check_keeps_unknowns_and_makes_no_tags_of_them_when_previewing() -> None:
    inputs, refused = check(VPC, cidrBlock=UNKNOWN, tags={"owner": UNKNOWN})
    assert not refused
    assert inputs["cidrBlock"] is UNKNOWN
    assert inputs["tagsAll"] is UNKNOWN


def test_auto_name_is_the_logical_name_and_seven_digits_when_none_is_given() -> None:
    inputs, _ = check("aws:iam/role:Role", logical="nodes", assumeRolePolicy=json.dumps(TRUST))
    logical, _, suffix = inputs["name"].rpartition("-")
    assert logical == "nodes"
    assert len(suffix) == 7
    assert int(suffix, 16) >= 0
    assert "name" in inputs["__defaults"]


def test_auto_name_is_kept_when_the_old_one_was_automatic() -> None:
    olds = {"name": "nodes-0000000", "__defaults": ["name"]}
    inputs, _ = check("aws:iam/role:Role", olds, logical="nodes", assumeRolePolicy="{}")
    assert inputs["name"] == "nodes-0000000"


def test_auto_name_is_new_when_the_old_one_was_explicit() -> None:
    inputs, _ = check("aws:iam/role:Role", {"name": "given", "__defaults": []}, logical="nodes", assumeRolePolicy="{}")
    assert inputs["name"].startswith("nodes-")


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"logical": "recommendations-staging-green"}, "AWS's limit for name is 32"),
        ({"name": "recommendations-staging-green-pods"}, "AWS's limit for name is 32"),
        ({"namePrefix": "orders-"}, "AWS's limit for namePrefix is 6"),
    ],
)
def test_refuses_names_beyond_awss_limit(named: dict[str, str], says: str) -> None:
    _, refused = check("aws:lb/targetGroup:TargetGroup", **named, port=80, protocol="HTTP", vpcId="vpc-1")
    assert says in str(refused)


def test_document_given_as_an_object_becomes_text() -> None:
    inputs, _ = check("aws:iam/role:Role", assumeRolePolicy=TRUST)
    assert json.loads(inputs["assumeRolePolicy"]) == TRUST


def test_refuses_two_properties_that_exclude_each_other() -> None:
    _, refused = check("aws:iam/role:Role", assumeRolePolicy="{}", namePrefix="x")
    assert not refused
    _, refused = check(
        "aws:ec2/route:Route",
        routeTableId="rtb-1",
        destinationCidrBlock="0.0.0.0/0",
        gatewayId="igw-1",
        natGatewayId="nat-1",
    )
    assert "exactly one of" in refused["natGatewayId"]


@pytest.mark.parametrize("token", sorted(RESOURCES))
def test_refuses_what_it_would_have_to_ignore(token: str) -> None:
    for name in RESOURCES[token].unsupported:
        _, refused = check(token, **{name: UNKNOWN})
        assert "not supported by the sandbox" in refused.get(name, ""), name


def passed_by_name(service: str, sources: str) -> set[str]:
    """What `api_arguments` takes of the inputs because AWS's operation has an argument of that name; in lower case."""
    operations = re.findall(r'api_arguments\(\w+, "(\w+)"', sources)
    if not operations:
        return set()
    model: Any = botocore.session.get_session().get_service_model(service)
    names = {xform_name(name): name for name in model.operation_names}
    return {member.lower() for each in operations for member in model.operation_model(names[each]).input_shape.members}


@pytest.mark.parametrize("token", sorted(RESOURCES))
def test_every_input_is_used_or_refused(token: str) -> None:
    """Not proven: that it is used rightly; the integration tests look at that."""
    resource = RESOURCES[token]
    sources = "".join(
        inspect.getsource(sys.modules[kind.__module__]) for kind in type(resource).__mro__ if kind is not object
    )
    everywhere = {"tags", "region", "namePrefix", "nodeGroupNamePrefix", "identifierPrefix"}
    passed_on = passed_by_name(resource.service, sources)
    ignored = {
        n
        for n in resource_schema(token).inputs.properties
        if f'"{n}"' not in sources and f"{n}=" not in sources and n.lower() not in passed_on
    }
    unused = ignored - everywhere - resource.unsupported
    assert {name for name in unused if name not in check(token, **{name: UNKNOWN})[1]} == set()


def test_sets_declared_by_a_type_name_its_own_properties() -> None:
    for token, resource in RESOURCES.items():
        schema = resource_schema(token)
        known = set(schema.inputs.properties) | set(schema.outputs)
        declared = {
            path.split(".")[0]
            for path in resource.force_new | resource.json_properties | resource.ordered | resource.write_only
        }
        declared |= (
            set(resource.defaults)
            | set(resource.enums)
            | {n for group in (*resource.one_of, *resource.conflicts) for n in group}
        )
        assert declared <= known, f"{token}: {declared - known}"


def test_diff_is_none_when_inputs_are_the_same() -> None:
    inputs, _ = check(VPC, cidrBlock="10.0.0.0/16")
    assert diff(VPC, inputs, dict(inputs)) == (DiffChanges.NONE, {}, ())


def test_diff_names_the_path_when_a_tag_changes() -> None:
    olds, _ = check(VPC, cidrBlock="10.0.0.0/16", tags={"a.b/c": "1", "plain": "1"})
    news, _ = check(VPC, cidrBlock="10.0.0.0/16", tags={"a.b/c": "2", "more": "1"})
    changes, kinds, replaces = diff(VPC, olds, news)
    assert changes is DiffChanges.SOME
    assert replaces == ()
    assert kinds == {
        'tags["a.b/c"]': DiffKind.UPDATE,
        "tags.more": DiffKind.ADD,
        "tags.plain": DiffKind.DELETE,
        'tagsAll["a.b/c"]': DiffKind.UPDATE,
        "tagsAll.more": DiffKind.ADD,
        "tagsAll.plain": DiffKind.DELETE,
    }


def test_diff_replaces_when_a_range_changes_or_is_not_known() -> None:
    olds, _ = check(VPC, cidrBlock="10.0.0.0/16")
    for block in ("10.1.0.0/16", UNKNOWN):
        news, _ = check(VPC, cidrBlock=block)
        assert diff(VPC, olds, news) == (DiffChanges.SOME, {"cidrBlock": DiffKind.UPDATE_REPLACE}, ("cidrBlock",))


def test_diff_is_none_when_only_the_order_of_a_set_changes() -> None:
    token = "aws:rds/subnetGroup:SubnetGroup"
    olds, _ = check(token, {}, subnetIds=["subnet-1", "subnet-2"])
    assert diff(token, olds, {**olds, "subnetIds": ["subnet-2", "subnet-1"]})[0] is DiffChanges.NONE
    assert diff(token, olds, {**olds, "subnetIds": ["subnet-2", "subnet-3"]})[0] is DiffChanges.SOME


def test_diff_is_none_when_a_document_says_the_same_in_other_words() -> None:
    token = "aws:iam/role:Role"
    olds, _ = check(token, assumeRolePolicy=json.dumps(TRUST))
    other = {"Statement": {"Principal": "*", "Action": ["sts:AssumeRole"], "Effect": "Allow"}, "Version": "2012-10-17"}
    assert diff(token, olds, {**olds, "assumeRolePolicy": json.dumps(other)})[0] is DiffChanges.NONE


def test_diff_is_none_when_a_computed_property_is_no_longer_given() -> None:
    token = "aws:eks/cluster:Cluster"
    olds, _ = check(token, roleArn="arn:r", vpcConfig={"subnetIds": ["a", "b"]}, version="1.35")
    news = {name: value for name, value in olds.items() if name != "version"}
    assert diff(token, olds, news)[0] is DiffChanges.NONE


def test_diff_shows_the_weight_alone_when_traffic_is_shifted() -> None:
    def listener(blue: int, green: int) -> dict[str, Any]:
        groups = [{"arn": "arn:blue", "weight": blue}, {"arn": "arn:green", "weight": green}]
        inputs, refused = check(
            LISTENER,
            loadBalancerArn="arn:lb",
            port=80,
            protocol="HTTP",
            defaultActions=[{"type": "forward", "forward": {"targetGroups": groups}}],
        )
        assert not refused
        return inputs

    changes, kinds, replaces = diff(LISTENER, listener(100, 0), listener(90, 10))
    assert changes is DiffChanges.SOME
    assert replaces == ()
    assert set(kinds) == {f"defaultActions[0].forward.targetGroups[{index}].weight" for index in (0, 1)}


@pytest.mark.parametrize(("explicit", "first"), [({"name": "given"}, True), ({}, False)])
def test_old_resource_goes_first_when_its_replacement_has_the_same_name(explicit: dict[str, str], first: bool) -> None:
    token = "aws:iam/role:Role"
    resource, schema = RESOURCES[token], resource_schema(token)
    ctx = CallContext(urn="urn", type=token, name="nodes", random_seed=b"1")
    olds, _ = check_inputs(resource, schema, ctx, {}, {"assumeRolePolicy": "{}", **explicit}, SETTINGS)
    news, _ = check_inputs(
        resource, schema, ctx, olds, {"assumeRolePolicy": "{}", "path": "/other/", **explicit}, SETTINGS
    )
    result = diff_inputs(resource, schema, olds, news)
    assert result.replaces == ("path",)
    assert result.delete_before_replace is first
