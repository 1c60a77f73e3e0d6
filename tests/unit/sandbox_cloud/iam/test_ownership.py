"""In which account a call runs."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.sandbox.aws.iam.ownership import SeveralAccountsError, account_of

OWN, OTHER = "123456789012", "222222222222"


def arn(service: str, resource: str, account: str = OTHER) -> str:
    return f"arn:aws:{service}:us-east-1:{account}:{resource}"


TABLE, KEY = arn("dynamodb", "table/t"), arn("kms", "key/k")


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "account"),
    [
        ("dynamodb", "GetItem", {"TableName": "t"}, OWN),
        ("dynamodb", "GetItem", {"TableName": TABLE}, OTHER),
        ("dynamodb", "BatchGetItem", {"RequestItems": {TABLE: {}}}, OTHER),
        ("dynamodb", "TransactWriteItems", {"TransactItems": [{"Put": {"TableName": TABLE}}]}, OTHER),
        ("dynamodb", "ListTables", {}, OWN),
        ("ecr", "BatchGetImage", {"registryId": OTHER, "repositoryName": "r"}, OTHER),
        ("ecr", "BatchGetImage", {"repositoryName": "r"}, OWN),
        ("ecr", "ListTagsForResource", {"resourceArn": arn("ecr", "repository/r")}, OTHER),
        ("kms", "Sign", {"KeyId": KEY}, OTHER),
        ("kms", "Sign", {"KeyId": arn("kms", "alias/a")}, OTHER),
        ("kms", "ScheduleKeyDeletion", {"KeyId": KEY}, OWN),
        ("secretsmanager", "GetSecretValue", {"SecretId": arn("secretsmanager", "secret:s-1")}, OTHER),
        ("sns", "Publish", {"TopicArn": arn("sns", "t"), "Message": arn("sns", "t", "3" * 12)}, OTHER),
        ("sqs", "SendMessage", {"QueueUrl": f"http://127.0.0.1:4566/{OTHER}/q"}, OTHER),
        ("sqs", "SendMessage", {"QueueUrl": "q"}, OWN),
        ("sqs", "GetQueueUrl", {"QueueName": "q", "QueueOwnerAWSAccountId": OTHER}, OTHER),
        ("elbv2", "ModifyListener", {"ListenerArn": arn("elasticloadbalancing", "listener/app/web/1/2")}, OWN),
    ],
)  # fmt: skip
def test_call_runs_where_what_it_names_is(
    service: str, operation: str, parameters: dict[str, Any], account: str
) -> None:
    assert account_of(service, operation, parameters, OWN) == account


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("dynamodb", "BatchGetItem", {"RequestItems": {TABLE: {}, "t": {}}}),
        ("dynamodb", "BatchGetItem", {"RequestItems": {TABLE: {}, arn("dynamodb", "table/t", "3" * 12): {}}}),
        ("kms", "ReEncrypt", {"SourceKeyId": KEY, "DestinationKeyId": arn("kms", "key/k", OWN)}),
    ],
)
def test_call_on_what_is_in_several_accounts_is_refused(
    service: str, operation: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(SeveralAccountsError, match=OTHER):
        account_of(service, operation, parameters, OWN)
