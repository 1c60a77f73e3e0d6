"""Condition keys that follow from what is there: partition keys of calls to a table, a key's aliases, a role's boundary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from slipway.sandbox.aws.iam.context import lookup_for
from slipway.sandbox.aws.iam.requests import ApiCall, iam_prefix
from slipway.sandbox.aws.iam.resources import needs_of
from slipway.sandbox.aws.iam.tags import tags_of_resource

ACCOUNT = "123456789012"
TABLE = "ledger"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/pods"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.Session(region_name="us-east-1")


def values(key: str, service: str, operation: str, **parameters: Any) -> list[tuple[str, ...]]:
    """Of the key, for each need of the call."""
    asked = ApiCall(
        service=service,
        prefix=iam_prefix(service),
        operation=operation,
        region="us-east-1",
        account=ACCOUNT,
        parameters=parameters,
    )
    return [
        lookup_for(
            asked,
            need,
            identity_keys={},
            resource_account=ACCOUNT,
            tags_of_resource=lambda _: {},
            now=datetime(2026, 1, 1, tzinfo=UTC),
        )(key)
        for need in needs_of(asked)
    ]


def attributes(pk: str, **more: str) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in {"sk": "wanted", "pk": pk, **more}.items()}


@pytest.mark.parametrize(
    ("operation", "parameters", "found"),
    [
        ("GetItem", {"Key": attributes("dev#orders")}, ("dev#orders",)),
        ("PutItem", {"Item": attributes("dev#orders", document="{}")}, ("dev#orders",)),
        ("UpdateItem", {"Key": attributes("dev#orders")}, ("dev#orders",)),
        (
            "Query",
            {
                "KeyConditionExpression": "begins_with(sk, :sk) AND #own = :pk",
                "ExpressionAttributeNames": {"#own": "pk"},
                "ExpressionAttributeValues": {":pk": {"S": "dev#orders"}, ":sk": {"S": "history#"}},
            },
            ("dev#orders",),
        ),
        (
            "Query",
            {"KeyConditions": {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "dev#orders"}]}}},
            ("dev#orders",),
        ),
        ("Query", {"IndexName": "by-state", "KeyConditionExpression": "#s = :s",
                   "ExpressionAttributeNames": {"#s": "state"}, "ExpressionAttributeValues": {":s": {"S": "live"}}}, ("live",)),
        ("Query", {"KeyConditionExpression": "sk = :sk", "ExpressionAttributeValues": {":sk": {"S": "x"}}}, ()),
        ("Scan", {}, ()),
        ("DescribeTable", {}, ()),
    ],
)  # fmt: skip
def test_partition_key_of_a_call_is_a_condition_key(
    aws: boto3.Session, operation: str, parameters: dict[str, Any], found: tuple[str, ...]
) -> None:
    make_table(aws)
    assert values("dynamodb:LeadingKeys", "dynamodb", operation, TableName=TABLE, **parameters) == [found]
    assert values("dynamodb:LeadingKeys", "dynamodb", operation, TableName="none", **parameters) == [()]


def test_each_item_of_a_batch_and_of_a_transaction_counts(aws: boto3.Session) -> None:
    make_table(aws)
    put, delete = {"PutRequest": {"Item": attributes("a")}}, {"DeleteRequest": {"Key": attributes("b")}}
    written = {TABLE: [put, delete, delete], "other": [put]}
    assert values("dynamodb:LeadingKeys", "dynamodb", "BatchWriteItem", RequestItems=written) == [("a", "b"), ()]
    read = {TABLE: {"Keys": [attributes("a"), attributes("c")]}}
    assert values("dynamodb:LeadingKeys", "dynamodb", "BatchGetItem", RequestItems=read) == [("a", "c")]
    items = [
        {"Put": {"TableName": TABLE, "Item": attributes("a")}},
        {"ConditionCheck": {"TableName": TABLE, "Key": attributes("b")}},
    ]
    assert values("dynamodb:LeadingKeys", "dynamodb", "TransactWriteItems", TransactItems=items) == [("a",), ("b",)]


def test_key_is_known_by_its_aliases(aws: boto3.Session) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert values("kms:ResourceAliases", "kms", "Decrypt", KeyId=key) == [()]
    for alias in ("alias/a", "alias/b"):
        kms.create_alias(AliasName=alias, TargetKeyId=key)
    for name in (key, "alias/a"):
        assert values("kms:ResourceAliases", "kms", "Sign", KeyId=name) == [("alias/a", "alias/b")]
    assert values("kms:ResourceAliases", "kms", "Sign", KeyId="alias/none") == [()]


def test_boundary_of_a_role_counts_unless_the_call_sets_one(aws: boto3.Session) -> None:
    iam = aws.client("iam")
    for name, more in {"pods": {"PermissionsBoundary": BOUNDARY}, "nodes": {}}.items():
        iam.create_role(RoleName=name, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}', **more)
    asked = {"PolicyName": "own", "PolicyDocument": "{}"}
    assert values("iam:PermissionsBoundary", "iam", "PutRolePolicy", RoleName="pods", **asked) == [(BOUNDARY,)]
    assert values("iam:PermissionsBoundary", "iam", "PutRolePolicy", RoleName="nodes", **asked) == [()]
    given = values("iam:PermissionsBoundary", "iam", "CreateRole", RoleName="new", PermissionsBoundary="arn:other")
    assert given == [("arn:other",)]


def make_table(aws: boto3.Session) -> None:
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    index = [{"AttributeName": "state", "KeyType": "HASH"}]
    aws.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=keys,  # type: ignore[arg-type]
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "state")],
        GlobalSecondaryIndexes=[{"IndexName": "by-state", "KeySchema": index, "Projection": {"ProjectionType": "ALL"}}],  # type: ignore[typeddict-item]
        BillingMode="PAY_PER_REQUEST",
    )


def test_tags_of_an_address_and_of_an_endpoint_are_known(aws: boto3.Session) -> None:
    ec2 = aws.client("ec2")
    tags = [{"Key": "environment", "Value": "dev"}]

    def tagged(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": tags}]

    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))["AllocationId"]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", TagSpecifications=tagged("vpc-endpoint")
    )["VpcEndpoint"]["VpcEndpointId"]
    for kind, name in (("elastic-ip", address), ("vpc-endpoint", endpoint), ("vpc", "vpc-none")):
        found = tags_of_resource(f"arn:aws:ec2:us-east-1:{ACCOUNT}:{kind}/{name}")
        assert found == ({} if kind == "vpc" else {"environment": "dev"})


def test_association_is_what_it_is_between(aws: boto3.Session) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    made = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    asked = ApiCall(
        service="ec2",
        prefix="ec2",
        operation="DisassociateRouteTable",
        region="us-east-1",
        account=ACCOUNT,
        parameters={"AssociationId": made},
    )
    base = f"arn:aws:ec2:us-east-1:{ACCOUNT}:"
    assert [need.resource for need in needs_of(asked)] == [f"{base}route-table/{table}", f"{base}subnet/{subnet}"]


def test_tags_that_are_made_with_something_know_the_call_that_makes_it() -> None:
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "environment", "Value": "dev"}]}]
    made = {"CidrBlock": "10.0.0.0/16", "TagSpecifications": tags}
    assert values("ec2:CreateAction", "ec2", "CreateVpc", **made) == [(), ("CreateVpc",)]
