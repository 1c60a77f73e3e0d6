"""All pods of what is live are gone: the alarm goes through the encrypted topic to who subscribed over HTTP, and so does its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.inbox import Inbox, receiving
from tests.waiting import wait_until

if TYPE_CHECKING:
    from story_kit import Slipway

ALARM_SECONDS = 330
"""Three periods of a minute, the one under way, and the watch's own pace."""


def of_type(inbox: Inbox, kind: str) -> list[dict[str, Any]]:
    """The documents of one kind that SNS has posted."""
    documents = [json.loads(body) for _, body in inbox.posts]
    return [document for document in documents if document["Type"] == kind]


@contextmanager
def subscribed(slipway: Slipway, topic: str) -> Iterator[Inbox]:
    """An endpoint that has confirmed its subscription."""
    sns = slipway.client("sns")
    with receiving() as inbox:
        arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=inbox.url, ReturnSubscriptionArn=True)[
            "SubscriptionArn"
        ]
        try:
            wait_until(lambda: bool(of_type(inbox, "SubscriptionConfirmation")), "the confirmation request", 30)
            sns.confirm_subscription(TopicArn=topic, Token=of_type(inbox, "SubscriptionConfirmation")[0]["Token"])
            yield inbox
        finally:
            sns.unsubscribe(SubscriptionArn=arn)


def test_target_group_without_a_healthy_target_is_told_and_its_end_too(slipway: Slipway) -> None:
    live = slipway.place("staging")["live"]
    found = slipway.client("cloudwatch").describe_alarms()["MetricAlarms"]
    (alarm,) = [each for each in found if f"staging-{live}-healthy" in each["AlarmName"]]
    (topic,) = alarm["AlarmActions"]
    attributes = slipway.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    assert ":key/" in attributes["KmsMasterKeyId"], "the topic is encrypted with a key of the environment"

    def told(state: str, inbox: Inbox) -> bool:
        messages = [json.loads(document["Message"]) for document in of_type(inbox, "Notification")]
        return any((each["AlarmName"], each["NewStateValue"]) == (alarm["AlarmName"], state) for each in messages)

    with subscribed(slipway, topic) as inbox:
        deployment = f"deployment/orders-{live}"
        pods = slipway.kubectl("staging", "get", deployment, "--output", "jsonpath={.spec.replicas}")
        slipway.kubectl("staging", "scale", deployment, "--replicas=0")  # which its autoscaler leaves alone
        try:
            wait_until(lambda: told("ALARM", inbox), "the alarm", ALARM_SECONDS)
        finally:
            slipway.kubectl("staging", "scale", deployment, f"--replicas={pods}")
        wait_until(lambda: told("OK", inbox), "the alarm's end", ALARM_SECONDS)
