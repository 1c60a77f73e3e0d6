"""What AWS's services do for a caller by themselves: as far as the policies of queues and keys let them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
SNS = {"Service": "sns.amazonaws.com"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]})


def from_topic(arn: str) -> dict[str, Any]:
    return {"Condition": {"ArnEquals": {"aws:SourceArn": arn}}}


def test_topic_reaches_a_queue_only_where_the_queues_policy_and_key_let_it(aws: Callable[..., Any], name: str) -> None:
    sns, sqs, kms = (aws(service) for service in ("sns", "sqs", "kms"))
    topic, other = (sns.create_topic(Name=f"{name}{end}")["TopicArn"] for end in ("", "-other"))
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)

    def arrives(statement: dict[str, Any] | None, **attributes: str) -> bool:
        if statement:
            attributes["Policy"] = policy({"Resource": queue, "Action": "sqs:SendMessage", **statement})
        if attributes:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        sns.publish(TopicArn=topic, Message="told")
        found = sqs.receive_message(QueueUrl=url).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bool(found)

    assert not arrives(None)
    assert not arrives({"Principal": {"AWS": ACCOUNT}})
    assert not arrives({"Principal": SNS, **from_topic(other)})
    assert not arrives({"Principal": SNS, "Action": "sqs:ReceiveMessage"})
    assert arrives({"Principal": SNS, **from_topic(topic)})
    assert arrives({"Principal": "*", **from_topic(topic)})
    use = {"Principal": SNS, "Action": ["kms:GenerateDataKey*", "kms:Decrypt"], "Resource": "*"}
    closed = kms.create_key()["KeyMetadata"]["KeyId"]
    opened = kms.create_key(Policy=policy(use), BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["Arn"]
    assert not arrives(None, KmsMasterKeyId=closed)
    assert arrives(None, KmsMasterKeyId=opened)
    kms.disable_key(KeyId=opened)
    assert not arrives(None, KmsMasterKeyId=opened)


def test_log_group_is_encrypted_only_with_a_key_that_lets_logs_use_it(aws: Callable[..., Any], name: str) -> None:
    logs, kms = aws("logs"), aws("kms")
    use = {
        "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
        "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        "Resource": "*",
    }

    def of_group(group: str) -> dict[str, Any]:
        arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"
        return {"Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn}}}

    def key(*statements: dict[str, Any]) -> str:
        own = {"Policy": policy(*statements), "BypassPolicyLockoutSafetyCheck": True} if statements else {}
        return kms.create_key(**own)["KeyMetadata"]["Arn"]

    for arn in (key(), key({**use, **of_group("another")}), f"arn:aws:kms:us-east-1:{ACCOUNT}:key/none", "arn:aws:kms"):
        with pytest.raises(ClientError) as caught:
            logs.create_log_group(logGroupName=name, kmsKeyId=arn)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
        assert "not allowed to be used with LogGroup" in str(caught.value)
    logs.create_log_group(logGroupName=name, kmsKeyId=key({**use, **of_group("*")}))


def test_bucket_and_rule_tell_a_queue_only_where_its_policy_lets_them(aws: Callable[..., Any], name: str) -> None:
    s3, sqs, events = (aws(service) for service in ("s3", "sqs", "events"))
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    s3.create_bucket(Bucket=name)
    told = {"QueueConfigurations": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=told)
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": queue}])

    def arrived() -> list[str]:
        s3.put_object(Bucket=name, Key="a", Body=b"a")
        events.put_events(Entries=[{"Source": name, "DetailType": "a", "Detail": "{}"}])
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return sorted("s3" if "aws:s3" in message["Body"] else "events" for message in found)

    for service, source, expected in (
        ("s3", f"arn:aws:s3:::{name}", ["s3"]),
        ("s3", "arn:aws:s3:::another", []),
        ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{name}", ["events"]),
    ):
        statement = {
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
        }
        condition = {"ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": ACCOUNT}}
        document = policy({**statement, "Condition": condition})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
        assert arrived() == expected, source
