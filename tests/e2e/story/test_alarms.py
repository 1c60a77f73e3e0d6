"""All pods of what is live are gone: the alarm goes through the encrypted topic to who subscribed over HTTP, and so does its end."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.waiting import wait_until

if TYPE_CHECKING:
    from story_kit import Slipway

ALARM_SECONDS = 330
"""Three periods of a minute, the one under way, and the watch's own pace."""


class Inbox(http.server.ThreadingHTTPServer):
    """Keeps the documents that SNS posts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.documents: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [document for document in self.documents if document["Type"] == kind]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        self.server.documents.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        del format, args


@contextmanager
def subscribed(slipway: Slipway, topic: str) -> Iterator[Inbox]:
    """An endpoint that has confirmed its subscription."""
    sns = slipway.client("sns")
    with Inbox() as inbox:
        threading.Thread(target=inbox.serve_forever, daemon=True).start()
        arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=inbox.url, ReturnSubscriptionArn=True)[
            "SubscriptionArn"
        ]
        try:
            wait_until(lambda: bool(inbox.of_type("SubscriptionConfirmation")), "the confirmation request", 30)
            sns.confirm_subscription(TopicArn=topic, Token=inbox.of_type("SubscriptionConfirmation")[0]["Token"])
            yield inbox
        finally:
            sns.unsubscribe(SubscriptionArn=arn)
            inbox.shutdown()


def test_target_group_without_a_healthy_target_is_told_and_its_end_too(slipway: Slipway) -> None:
    live = slipway.place("staging")["live"]
    found = slipway.client("cloudwatch").describe_alarms()["MetricAlarms"]
    (alarm,) = [each for each in found if f"staging-{live}-healthy" in each["AlarmName"]]
    (topic,) = alarm["AlarmActions"]
    attributes = slipway.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    assert ":key/" in attributes["KmsMasterKeyId"], "the topic is encrypted with a key of the environment"

    def told(state: str, inbox: Inbox) -> bool:
        messages = [json.loads(document["Message"]) for document in inbox.of_type("Notification")]
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
