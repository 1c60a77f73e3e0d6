"""What is refused of every caller, whatever it may do."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.sandbox.aws.refused_parameters import refuse_parameters

KEY = "aws:rds:primaryDBInstanceArn"
RESERVED: list[tuple[str, dict[str, Any]]] = [
    ("secretsmanager", {"SecretId": "s", "Tags": [{"Key": "env", "Value": "x"}, {"Key": KEY, "Value": "arn:aws:x"}]}),
    ("secretsmanager", {"SecretId": "s", "TagKeys": [KEY]}),
    ("kms", {"KeyId": "k", "Tags": [{"TagKey": "AWS:x", "TagValue": "1"}]}),
    ("ec2", {"Resources": ["sg-1"], "Tags": [{"Key": "aws:eks:cluster-name"}]}),
    ("ec2", {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "Aws:x", "Value": ""}]}]}),
    ("ec2", {"LaunchTemplateData": {"TagSpecifications": [{"Tags": [{"Key": KEY, "Value": "1"}]}]}}),
    ("eks", {"resourceArn": "a", "tags": {KEY: "1"}}),
    ("logs", {"logGroupName": "g", "tags": [KEY]}),
    ("route53", {"ResourceId": "Z", "AddTags": [{"Key": KEY, "Value": "1"}]}),
    ("route53", {"ResourceId": "Z", "RemoveTagKeys": [KEY]}),
    ("s3", {"Bucket": "b", "Tagging": {"TagSet": [{"Key": KEY, "Value": "1"}]}}),
    ("s3", {"Bucket": "b", "Key": "k", "Tagging": "env=dev&aws%3Ax=1"}),
    ("resourcegroupstaggingapi", {"ResourceARNList": ["a"], "Tags": {KEY: "1"}}),
]
TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("secretsmanager", {"SecretId": "aws:x", "Tags": [{"Key": "awsome", "Value": "aws:x"}]}),
    ("eks", {"tags": {"kubernetes.io/cluster/aws:": "1"}}),
    ("ec2", {"Filters": [{"Name": "tag:aws:eks:cluster-name", "Values": ["a"]}]}),
    ("resourcegroupstaggingapi", {"TagFilters": [{"Key": KEY, "Values": ["a"]}]}),
    ("dynamodb", {"Item": {"tags": {"SS": [KEY]}, "tag": {"S": KEY}}}),
    ("ec2", {"GroupId": "sg-1", "IpPermissions": [{"UserIdGroupPairs": [{"GroupId": "sg-2", "GroupName": "n"}]}]}),
    ("iam", {"GroupId": "a", "GroupName": "b"}),
]


@pytest.mark.parametrize(("service", "parameters"), RESERVED)
def test_refuses_tags_that_are_awss_own(service: str, parameters: dict[str, Any]) -> None:
    refusal = refuse_parameters(service, parameters)
    assert refusal is not None
    assert "aws: prefixed tag key names are not allowed" in refusal.message


@pytest.mark.parametrize(("service", "parameters"), TAKEN)
def test_takes_anything_else(service: str, parameters: dict[str, Any]) -> None:
    assert refuse_parameters(service, parameters) is None


@pytest.mark.parametrize("holder", ["", "LaunchTemplate"])
def test_refuses_two_names_for_one_thing(holder: str) -> None:
    names = {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "n"}
    refusal = refuse_parameters("ec2", {holder: names} if holder else names)
    assert refusal is not None
    assert refusal.code == "InvalidParameterCombination"


def test_refuses_what_is_nested_beyond_following() -> None:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(5000):
        value = {"L": [value]}
    refusal = refuse_parameters("dynamodb", {"Item": {"id": value}})
    assert refusal is not None
    assert "nested too deeply" in refusal.message
