"""SNS over HTTP: confirmation first, then delivery. Not proven: that a subscriber can verify the signature."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.inbox import Inbox, receiving

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with receiving() as open_inbox:
        yield open_inbox


def _visit(url: str) -> str:
    """A GET without credentials, through the same dispatcher as the daemon's."""
    application = DomainDispatcherApplication(create_backend_app)
    chunks, status, _ = run_wsgi_app(application, EnvironBuilder(path=url, base_url="http://127.0.0.1").get_environ())
    return f"{status} {b''.join(chunks).decode()}"


def test_http_subscription_gets_messages_once_it_is_confirmed(lab: Any, inbox: Inbox) -> None:
    sns = boto3.client("sns", "us-east-1")
    topic = sns.create_topic(Name="releases")["TopicArn"]
    answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=inbox.url)
    assert answer["SubscriptionArn"] == "pending confirmation"
    lab.wait(lambda: len(inbox.posts) == 1, "the confirmation request")
    headers, body = inbox.posts[0]
    document = json.loads(body)
    assert headers["x-amz-sns-message-type"] == document["Type"] == "SubscriptionConfirmation"
    assert f"Token={document['Token']}" in document["SubscribeURL"]

    sns.publish(TopicArn=topic, Message="too early")
    with pytest.raises(ClientError, match="Token"):
        sns.confirm_subscription(TopicArn=topic, Token="wrong")
    visited = _visit(document["SubscribeURL"])
    assert "<ConfirmSubscriptionResult>" in visited
    arn = sns.list_subscriptions()["Subscriptions"][0]["SubscriptionArn"]
    inbox.failures_left = 1
    sns.publish(TopicArn=topic, Message="hello", Subject="greeting")
    lab.wait(lambda: len(inbox.posts) == 2, "the message, at the second attempt")
    headers, body = inbox.posts[1]
    document = json.loads(body)
    assert (document["Type"], document["Message"], document["Subject"]) == ("Notification", "hello", "greeting")
    assert headers["x-amz-sns-subscription-arn"] == arn

    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true")
    sns.publish(TopicArn=topic, Message="raw text")
    lab.wait(lambda: len(inbox.posts) == 3, "the raw message")
    assert inbox.posts[2][1] == "raw text"


def test_publishing_does_not_wait_when_an_endpoint_is_dead(lab: Any) -> None:
    sns = boto3.client("sns", "us-east-1")
    topic = sns.create_topic(Name="releases")["TopicArn"]
    arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://127.0.0.1:9/", ReturnSubscriptionArn=True)
    assert arn["SubscriptionArn"].startswith(topic)
    assert sns.publish(TopicArn=topic, Message="hello")["MessageId"]
