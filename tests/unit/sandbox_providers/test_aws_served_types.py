"""The AWS provider's table of types: it says what the SDK says, and refuses by name what it does not do."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from slipway.providers.provider import (
    CallContext,
    Caller,
    DiffChanges,
    NotImplementedByProviderError,
    ProviderError,
)
from slipway.sandbox.providers.aws import AwsProvider
from slipway.sandbox.providers.framework.diff import diff_inputs
from slipway.sandbox.providers.framework.schema import object_schema, resource_schema
from slipway.sandbox.providers.framework.wire import operation_model
from slipway.sandbox.providers.services import registry
from slipway.sandbox.providers.services.elbv2.actions import api_actions, shown_actions

REPOSITORY = Path(__file__).parents[3]
CLIENTS = botocore.session.get_session()


@cache
def client_of(service: str) -> Any:
    return CLIENTS.create_client(
        service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def test_schema_of_a_type_is_what_the_sdk_declares() -> None:
    schema = resource_schema("aws:lb/listener:Listener")
    assert schema.inputs.required == {"defaultActions", "loadBalancerArn"}
    assert (schema.inputs.properties["port"], schema.inputs.properties["tags"]) == ("integer", "map<string>")
    actions = schema.inputs.properties["defaultActions"]
    assert actions.startswith("list<#")
    assert object_schema(actions[5:-1]).required == {"type"}
    assert {"arn", "port"} & schema.always == {"arn"}
    assert resource_schema("aws:iam/role:Role").inputs.properties["assumeRolePolicy"] == "any"  # text or an object
    assert resource_schema("aws:s3/bucketObjectv2:BucketObjectv2").inputs.properties["source"] == "asset"


@pytest.mark.parametrize("token", sorted(registry.all_resources()))
def test_declared_properties_exist_in_the_sdk(token: str) -> None:
    resource, schema = registry.all_resources()[token], resource_schema(token)
    declared = {
        *(path.split(".")[0] for path in resource.force_new),
        *resource.defaults,
        *resource.write_only,
        *resource.unsupported,
        *resource.enums,
        *(name for group in (*resource.conflicts, *resource.one_of) for name in group),
    }
    assert declared - schema.inputs.properties.keys() == set()


@pytest.mark.parametrize("token", sorted(registry.all_resources()))
def test_declared_operations_exist_at_aws(token: str) -> None:
    resource = registry.all_resources()[token]
    declared = [(resource.deletion, [*resource.id_arguments])] if hasattr(resource, "deletion") else []
    if hasattr(resource, "lookup"):
        declared.append((resource.lookup.operation, [resource.lookup.argument] if resource.lookup.argument else []))
    if resource.tagging:
        declared += [
            (operation, [resource.tagging.target]) for operation in (resource.tagging.tag, resource.tagging.untag)
        ]
    for operation, arguments in declared:
        client = client_of(resource.service)
        assert set(arguments) <= operation_model(client, operation).input_shape.members.keys(), operation
        if hasattr(resource, "lookup") and operation == resource.lookup.operation:
            assert resource.lookup.member in operation_model(client, operation).output_shape.members


@pytest.mark.parametrize(
    ("older", "token"),
    [
        ("aws:alb/listenerRule:ListenerRule", "aws:lb/listenerRule:ListenerRule"),
        ("aws:elasticloadbalancingv2/loadBalancer:LoadBalancer", "aws:lb/loadBalancer:LoadBalancer"),
        ("aws:s3/bucketAclV2:BucketAclV2", "aws:s3/bucketAcl:BucketAcl"),
    ],
)
def test_older_name_of_a_type_is_served(older: str, token: str) -> None:
    found = registry.resource(older)
    assert found
    assert found.token == token


def test_every_aws_type_of_the_components_is_served() -> None:
    called: set[str] = set()
    for path in (REPOSITORY / "components").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                parts = ast.unparse(node.func).split(".")
                if len(parts) == 3 and parts[0] == "aws" and parts[2][:1].isupper() and not parts[2].endswith("Args"):
                    called.add(f"aws:{parts[1]}/{parts[2][:1].lower()}{parts[2][1:]}:{parts[2]}")
    assert len(called) > 20
    assert {token for token in called if registry.resource(token) is None} == set()


def test_refuses_a_type_by_name_when_it_is_not_served() -> None:
    ctx = CallContext(urn="urn", type="aws:lambda/function:Function", name="x")
    with pytest.raises(NotImplementedByProviderError, match="aws:lambda/function:Function is not supported"):
        AwsProvider().check(ctx, {}, {})


@pytest.mark.parametrize(
    ("environ", "why"), [({}, "no endpoint"), ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "no credentials")]
)
def test_refuses_to_start_when_endpoint_or_credentials_are_missing(environ: dict[str, str], why: str) -> None:
    ctx = CallContext(urn="urn", type="pulumi:providers:aws", name="aws")
    with pytest.raises(ProviderError, match=why):
        AwsProvider(Caller(environ=environ)).configure(ctx, {"region": "us-east-1"})


def test_diff_ignores_the_order_of_target_groups_but_not_their_weights() -> None:
    token = "aws:lb/listener:Listener"

    def listener(*shares: tuple[str, int]) -> dict[str, object]:
        groups = [{"arn": arn, "weight": weight} for arn, weight in shares]
        return {"defaultActions": [{"type": "forward", "forward": {"targetGroups": groups}}]}

    def changes(new: dict[str, object]) -> DiffChanges:
        old = listener(("blue", 90), ("green", 10))
        return diff_inputs(registry.all_resources()[token], resource_schema(token), old, new).changes

    assert changes(listener(("green", 10), ("blue", 90))) is DiffChanges.NONE
    assert changes(listener(("blue", 10), ("green", 90))) is DiffChanges.SOME


def test_actions_come_back_as_written_when_the_order_is_the_only_addition() -> None:
    written = [{"type": "forward", "forward": {"targetGroups": [{"arn": "b", "weight": 0}, {"arn": "a", "weight": 5}]}}]
    assert shown_actions(api_actions(written), written) == [{**written[0], "order": 1}]
