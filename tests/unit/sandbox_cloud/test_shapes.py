"""Requests that the model of an API does not allow, of which moto checks little."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import StringShape

from slipway.sandbox.aws.iam.requests import UnclearRequestError, read_call
from slipway.sandbox.aws.shapes import ShapeError, check_parameters, check_shape

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("elbv2 CreateTargetGroup", {"Name": "a", "HealthCheckIntervalSeconds": 301}, "healthCheck.*between 5 and 300"),
    ("elbv2 CreateTargetGroup", {"Name": "a", "Protocol": "SMTP"}, "enum value set"),
    ("elbv2 CreateTargetGroup", {}, "'Name' failed .* not be null"),
    ("elbv2 AddTags", {"ResourceArns": ["a"], "Tags": [{"Key": "a;b", "Value": "c"}]}, "regular expression pattern"),
    ("elbv2 AddTags", {"ResourceArns": ["a"], "Tags": [{"Key": "a\n", "Value": "c"}]}, "regular expression pattern"),
    (
        "elbv2 CreateListener",
        {"LoadBalancerArn": "a", "DefaultActions": [{"Type": "no"}]},
        "DefaultActions.1.member.Type",
    ),
    (
        "elbv2 ModifyRule",
        {"RuleArn": "a", "Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "302"}}]},
        "regular expression pattern",
    ),
    ("iam CreateRole", {"RoleName": "r" * 65, "AssumeRolePolicyDocument": "{}"}, "between 1 and 64, not 65"),
    ("dynamodb GetItem", {"TableName": 5, "Key": {}}, "'TableName' .*of type string"),
    ("dynamodb GetItem", {"TableName": "abc", "Key": {"k": "v"}}, "'Key.k' .*of type structure"),
    ("eks CreateCluster", {"name": "-a", "roleArn": "r", "resourcesVpcConfig": {}}, "regular expression pattern"),
    ("sqs ReceiveMessage", {"QueueUrl": "q", "MaxNumberOfMessages": True}, "of type integer"),
]


@pytest.mark.parametrize(("operation", "parameters", "fault"), REFUSED)
def test_refuses_what_the_model_does_not_allow(operation: str, parameters: dict[str, Any], fault: str) -> None:
    service, name = operation.split()
    with pytest.raises(ShapeError, match=f"(?i){fault}"):
        check_parameters(service, name, parameters)


def test_takes_what_aws_documents() -> None:
    tags = [{"Key": "aws:größe", "Value": "for a/b=c+d-e@f_1.2 ②"}, {"Key": "empty", "Value": ""}]
    check_parameters("elbv2", "AddTags", {"ResourceArns": ["a"], "Tags": tags})
    check_parameters("dynamodb", "GetItem", {"TableName": "abc", "Key": {"k": {"S": "v"}}})
    check_parameters("s3", "PutObject", {"Bucket": "abc", "Key": "k", "Body": object()})
    check_parameters("s3", "PutBucketAcl", {"Bucket": "abc", "ACL": "log-delivery-write"})


@pytest.mark.parametrize(
    ("pattern", "taken", "refused"),
    [
        (r"^[^\$]+$", "Z\\", "a$"),
        ("^[^:*$]+$", "Z", "a$"),
        (r"^a\$$", "a$", "aZ"),
        ("^$|b", "", "a"),
        ("^a$", "a", "a\n"),
    ],
)
def test_dollar_of_a_pattern_is_the_very_end_but_not_where_it_is_a_character(
    pattern: str, taken: str, refused: str
) -> None:
    shape = StringShape("Text", {"type": "string", "pattern": pattern})
    check_shape(shape, taken)
    with pytest.raises(ShapeError, match="regular expression"):
        check_shape(shape, refused)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("iam CreateRole", {"RoleName": "a b", "AssumeRolePolicyDocument": "{}"}),
        ("iam CreateRole", {"RoleName": "größe", "AssumeRolePolicyDocument": "{}"}),
        ("iam CreateRole", {"RoleName": "a", "Description": "the service\u2019s", "AssumeRolePolicyDocument": "{}"}),
        ("iam TagRole", {"RoleName": "a", "Tags": [{"Key": "a;b", "Value": ""}]}),
        ("sts AssumeRole", {"RoleArn": "arn:aws:iam::123456789012:role/a", "RoleSessionName": "a b"}),
        ("logs CreateLogGroup", {"logGroupName": "a b"}),
        ("eks CreateCluster", {"name": "a b", "roleArn": "r", "resourcesVpcConfig": {}}),
        ("kms CreateKey", {"Policy": "{\u2019}"}),
    ],
)
def test_pattern_is_of_the_whole_value(operation: str, parameters: dict[str, Any]) -> None:
    service, name = operation.split()
    with pytest.raises(ShapeError, match="regular expression"):
        check_parameters(service, name, parameters)


def test_pattern_that_takes_ages_to_find_out_is_not_satisfied() -> None:
    shape = StringShape("Text", {"type": "string", "pattern": r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$"})
    check_shape(shape, "a" * 200)
    with pytest.raises(ShapeError, match="regular expression"):
        check_shape(shape, "a" * 200 + "!")


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(depth):
        value = {"L": [value]}
    return value


def test_refuses_what_is_nested_beyond_following() -> None:
    with pytest.raises(ShapeError, match="nested too deeply"):
        check_parameters("dynamodb", "PutItem", {"TableName": "orders", "Item": {"id": nested(5000)}})


def test_request_that_is_nested_beyond_reading_is_no_call() -> None:
    body = b'{"TableName": "orders", "Item": ' + b'{"L": [' * 5000 + b"]}" * 5000 + b"}"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "dynamodb.us-east-1.amazonaws.com",
        "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.PutItem",
        "wsgi.url_scheme": "http",
    }
    with pytest.raises(UnclearRequestError):
        read_call("dynamodb", environ, body, region="us-east-1", account="123456789012")
