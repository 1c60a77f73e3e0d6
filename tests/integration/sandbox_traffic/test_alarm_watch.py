"""An alarm over put metrics, from its creation to the message in a queue."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from slipway.sandbox.traffic.metrics import Metrics
from slipway.sandbox.traffic.moto_hooks.alarm_watch import evaluate_alarms

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
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    (told,) = [json.loads(json.loads(message["Body"])["Message"]) for message in messages]
    assert (told["AlarmName"], told["OldStateValue"], told["NewStateValue"]) == ("errors", "INSUFFICIENT_DATA", "ALARM")
    cloudwatch.put_metric_alarm(**ALARM, AlarmActions=[])
    assert cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"] == "ALARM"


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
