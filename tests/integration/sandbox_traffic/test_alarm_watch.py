"""An alarm over put metrics, from its creation to the message in a queue."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from slipway.sandbox.aws.service_access import CLOUDWATCH, may_publish
from slipway.sandbox.traffic.metrics import Metrics
from slipway.sandbox.traffic.moto_hooks.alarm_watch import evaluate_alarms
from tests.waiting import wait_until

ALARM: dict[str, Any] = {
    "AlarmName": "errors",
    "Namespace": "shop",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}],
    "Statistic": "Sum",
    "Period": 10,
    "EvaluationPeriods": 2,
    "DatapointsToAlarm": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 3,
}


def test_alarm_reaches_a_queue_once_when_the_metric_breaches(lab: Any) -> None:
    del lab
    sns, sqs, cloudwatch = (boto3.client(name, "us-east-1") for name in ("sns", "sqs", "cloudwatch"))
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [statement]})})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    cloudwatch.put_metric_alarm(**ALARM, AlarmActions=[topic])
    assert cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"] == "INSUFFICIENT_DATA"
    period = int(time.time()) // 10 * 10
    cloudwatch.put_metric_data(
        Namespace="shop",
        MetricData=[
            {
                "MetricName": "Errors",
                "Dimensions": ALARM["Dimensions"][::-1],
                "Timestamp": datetime.fromtimestamp(period, UTC) - timedelta(seconds=5),
                "Value": 4,
            }
        ],
    )
    evaluate_alarms(Metrics())
    evaluate_alarms(Metrics())
    alarm = cloudwatch.describe_alarms()["MetricAlarms"][0]
    assert alarm["StateValue"] == "ALARM"
    assert "Threshold Crossed" in alarm["StateReason"]
    messages: list[Any] = []

    def arrived() -> bool:
        messages.extend(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []))
        return bool(messages)

    wait_until(arrived, "the alarm, which the sandbox's own watch may have seen first", 20)
    (told,) = [json.loads(json.loads(message["Body"])["Message"]) for message in messages]
    assert (told["AlarmName"], told["OldStateValue"], told["NewStateValue"]) == ("errors", "INSUFFICIENT_DATA", "ALARM")
    cloudwatch.put_metric_alarm(**ALARM, AlarmActions=[])
    assert cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"] == "ALARM"


def key_of(*statements: dict[str, Any]) -> str:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]})
    return boto3.client("kms", "us-east-1").create_key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)[
        "KeyMetadata"
    ]["Arn"]


def test_alarm_reaches_no_topic_whose_policy_or_key_does_not_let_cloudwatch(lab: Any) -> None:
    del lab
    sns = boto3.client("sns", "us-east-1")
    topic = sns.create_topic(Name="guarded")["TopicArn"]
    alarm = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors"
    cloudwatch = {"Principal": {"Service": "cloudwatch.amazonaws.com"}, "Resource": "*"}
    use = {**cloudwatch, "Action": ["kms:Decrypt", "kms:GenerateDataKey*"]}

    def of_account(account: str) -> dict[str, Any]:
        return {"Condition": {"StringEquals": {"aws:SourceAccount": account}}}

    assert may_publish(CLOUDWATCH, topic, alarm)
    for statement, reached in (
        ({**cloudwatch, "Action": "sns:Publish"}, True),
        ({**cloudwatch, "Action": "sns:Publish", **of_account("999999999999")}, False),
        ({"Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": "*"}, False),
        ({"Principal": "*", "Action": "sns:Publish", "Resource": "*", **of_account("123456789012")}, True),
    ):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        assert may_publish(CLOUDWATCH, topic, alarm) is reached, statement
    for key, reached in (
        (key_of(use), True),
        (key_of({**use, **of_account("123456789012")}), True),
        (key_of({**use, **of_account("999999999999")}), False),
        (key_of({**use, "Action": "kms:Decrypt"}), False),
        (key_of({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}), False),
        ("alias/aws/sns", False),
    ):
        sns.set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue=key)
        assert may_publish(CLOUDWATCH, topic, alarm) is reached, key


def test_refuses_an_alarm_that_nobody_would_evaluate(lab: Any) -> None:
    del lab
    cloudwatch = boto3.client("cloudwatch", "us-east-1")
    stat = {"Metric": {"Namespace": "shop", "MetricName": "Errors"}, "Period": 60, "Stat": "Sum"}
    queries: list[Any] = [{"Id": "m", "MetricStat": stat}, {"Id": "e", "Expression": "m * 2"}]
    with pytest.raises(ClientError, match="metric math"):
        cloudwatch.put_metric_alarm(
            AlarmName="doubled",
            Metrics=queries,
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            Threshold=1,
        )
