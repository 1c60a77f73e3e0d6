"""What AWS refuses by its documentation is refused over the API, in each protocol's words: the owner is no exception."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.identities import ACCOUNT, ROOT, Document, Identities, allow, deny, document, refusal, trust

AWS = Callable[..., Any]
NOBODY = f"arn:aws:iam::{ACCOUNT}:role/nobody"


def for_principal(principal: object, action: object = "*", **more: object) -> Document:
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **more}


def long(characters: int) -> str:
    """A policy of about so many characters that are no white space."""
    return json.dumps(
        json.loads(document(allow("s3:GetObject", [f"arn:aws:s3:::{'b' * 80}"] * (characters // 100)))), indent=8
    )


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code"),
    [
        ("s3", "create_bucket", {"Bucket": "Orders"}, "InvalidBucketName"),
        ("elbv2", "create_target_group", {"Name": "a", "HealthCheckPath": "ready"}, "ValidationError"),
        ("ec2", "create_security_group", {"GroupName": "a", "Description": "it's"}, "InvalidParameterValue"),
        ("sqs", "create_queue", {"QueueName": "a", "Attributes": {"DelaySeconds": "901"}}, "InvalidAttributeValue"),
        (
            "dynamodb",
            "create_table",
            {
                "TableName": "ab",
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            },
            "ValidationException",
        ),
        ("logs", "put_retention_policy", {"logGroupName": "a", "retentionInDays": 15}, "InvalidParameterException"),
        ("iam", "create_role", {"RoleName": "a b", "AssumeRolePolicyDocument": trust(AWS=ROOT)}, "ValidationError"),
        (
            "iam",
            "create_role",
            {"RoleName": "a", "Description": "the service\u2019s role", "AssumeRolePolicyDocument": trust(AWS=ROOT)},
            "ValidationError",
        ),
        ("route53", "create_hosted_zone", {"Name": "a b.dev", "CallerReference": "1"}, "InvalidDomainName"),
        ("acm", "request_certificate", {"DomainName": "a" * 60 + ".acme.dev"}, "ValidationException"),
    ],
)
def test_limits_are_told_in_the_words_of_each_protocol(
    aws: AWS, service: str, operation: str, arguments: Document, code: str
) -> None:
    assert refusal(getattr(aws(service), operation), **arguments)[0] == code


@pytest.mark.parametrize(
    ("policy", "code", "words"),
    [
        ("{", "MalformedPolicyDocument", "invalid Json"),
        ("[" * 100_000, "MalformedPolicyDocument", "invalid Json"),
        (
            document({**for_principal({"AWS": ROOT}, "sts:AssumeRole")}),
            "MalformedPolicyDocument",
            "prohibited field Resource",
        ),
        (
            document({"Effect": "Allow", "Action": "sts:AssumeRole"}),
            "MalformedPolicyDocument",
            "required field Principal",
        ),
        (
            document({"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "s3:GetObject"}),
            "MalformedPolicyDocument",
            "may only specify STS AssumeRole",
        ),
        (trust(AWS=NOBODY), "MalformedPolicyDocument", f'"AWS":"{NOBODY}"'),
        (trust(AWS=f"arn:aws:iam::{ACCOUNT}:role/*"), "MalformedPolicyDocument", "Invalid principal"),
        (trust(Service="the cluster"), "MalformedPolicyDocument", '"SERVICE":"the cluster"'),
        (
            document(*({"Sid": f"S{n}", **json.loads(trust(AWS=ROOT))["Statement"][0]} for n in range(20))),
            "LimitExceeded",
            "ACLSizePerRole: 2048",
        ),
    ],
)
def test_trust_that_iam_refuses(aws: AWS, name: str, policy: str, code: str, words: str) -> None:
    iam = aws("iam")
    given, message = refusal(iam.create_role, RoleName=name, AssumeRolePolicyDocument=policy)
    assert (given, words in message) == (code, True), message
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(Service="ec2.amazonaws.com"))
    assert refusal(iam.update_assume_role_policy, RoleName=name, PolicyDocument=policy)[0] == code


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (document(for_principal("*")), "MalformedPolicyDocument"),
        (document(allow("s3:GetObject", Sid="not-a-sid")), "MalformedPolicyDocument"),
        (long(6_600), "LimitExceeded"),
    ],
)
def test_policy_of_an_identity_that_iam_refuses(aws: AWS, name: str, policy: str, code: str) -> None:
    assert refusal(aws("iam").create_policy, PolicyName=name, PolicyDocument=policy)[0] == code


def test_inline_policies_of_a_role_have_one_limit_without_white_space(aws: AWS, identities: Identities) -> None:
    role = identities.role().rpartition("/")[2]
    put = aws("iam").put_role_policy
    put(RoleName=role, PolicyName="first", PolicyDocument=long(6_000))
    assert refusal(put, RoleName=role, PolicyName="second", PolicyDocument=long(6_000)) == (
        "LimitExceeded",
        f"Maximum policy size of 10240 bytes exceeded for role {role}",
    )
    put(RoleName=role, PolicyName="first", PolicyDocument=long(9_000))


def test_policies_of_resources_name_principals_that_are_there(aws: AWS, identities: Identities, name: str) -> None:
    there, gone = identities.role(), document(for_principal({"AWS": NOBODY}))
    good = document(for_principal({"AWS": [ROOT, there, ACCOUNT]}), for_principal({"Service": "s3.amazonaws.com"}))
    aws("s3").create_bucket(Bucket=name)
    queue = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    topic = aws("sns").create_topic(Name=name)["TopicArn"]
    secret = aws("secretsmanager").create_secret(Name=name, SecretString="a")["ARN"]
    key = aws("kms").create_key()["KeyMetadata"]["KeyId"]
    aws("ecr").create_repository(repositoryName=name)
    without_resource = json.loads(good)
    for each in without_resource["Statement"]:
        del each["Resource"]
    calls: list[tuple[str, Any, Document, str, str]] = [
        ("s3", aws("s3").put_bucket_policy, {"Bucket": name}, "Policy", "MalformedPolicy"),
        ("sns", aws("sns").set_topic_attributes, {"TopicArn": topic, "AttributeName": "Policy"}, "AttributeValue", "InvalidParameter"),
        ("secret", aws("secretsmanager").put_resource_policy, {"SecretId": secret}, "ResourcePolicy", "MalformedPolicyDocumentException"),
        ("kms", aws("kms").put_key_policy, {"KeyId": key, "PolicyName": "default"}, "Policy", "MalformedPolicyDocumentException"),
        ("ecr", aws("ecr").set_repository_policy, {"repositoryName": name}, "policyText", "InvalidParameterException"),
    ]  # fmt: skip
    for service, put, named, parameter, code in calls:
        assert refusal(put, **named, **{parameter: gone})[0] == code, service
        put(**named, **{parameter: json.dumps(without_resource) if service == "ecr" else good})
    set_attributes = aws("sqs").set_queue_attributes
    assert refusal(set_attributes, QueueUrl=queue, Attributes={"Policy": gone})[0] == "InvalidAttributeValue"
    set_attributes(QueueUrl=queue, Attributes={"Policy": good})


@pytest.mark.parametrize(
    "statement",
    [
        for_principal({"AWS": ROOT}, "kms:Decrypt"),
        {**deny("kms:*"), "Principal": {"AWS": ROOT}},
        for_principal({"Service": "s3.amazonaws.com"}),
    ],
)
def test_policy_of_a_key_lets_somebody_change_it(aws: AWS, statement: Document) -> None:
    kms, policy = aws("kms"), document(statement)
    code, message = refusal(kms.create_key, Policy=policy)
    assert (code, "update the key policy in the future" in message) == ("MalformedPolicyDocumentException", True)
    kms.create_key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    kms.create_key(Policy=document(for_principal({"AWS": ROOT}, "kms:Put*")))
