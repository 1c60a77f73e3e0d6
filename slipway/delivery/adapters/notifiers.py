"""Notifications: a Slack-compatible webhook, a signed webhook, SNS. They run beside the rollout and can never hold or fail it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import httpx

from slipway.delivery.adapters.aws import client as aws_client
from slipway.delivery.adapters.http import http_client
from slipway.delivery.events import Event
from slipway.log import get_logger
from slipway.scrubbing import scrub

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

TIMEOUT_SECONDS = 5.0
FLUSH_SECONDS = 8.0
SIGNATURE_HEADER = "X-Slipway-Signature-256"
"""`sha256=<hex HMAC-SHA256 of "<timestamp>.<body>">`; the timestamp is its own header, so that an old message cannot be sent again."""
TIMESTAMP_HEADER = "X-Slipway-Timestamp"
COLOURS = {"completed": "#2eb886", "aborted": "#cc2a36", "failed": "#cc2a36"}

log = get_logger(__name__)
Channel = Callable[[str, Mapping[str, Any]], None]


class Notifiers:
    """Implements `ports.Notifier` over any number of channels; one thread keeps the order of messages."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = tuple(channels)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="notify")
        self._pending: list[Future[None]] = []

    def notify(self, name: str, event: Event, facts: Mapping[str, Any]) -> None:
        """See `Notifier.notify`."""
        del event
        clean = json.loads(scrub(json.dumps(facts, default=str)))
        self._pending = [future for future in self._pending if not future.done()]
        self._pending += [self._pool.submit(_send, channel, name, clean) for channel in self._channels]

    def flush(self) -> None:
        """See `Notifier.flush`."""
        _, late = wait(self._pending, timeout=FLUSH_SECONDS)
        for future in late:
            future.cancel()
        if late:
            log.warning("notifications were not delivered in time", count=len(late))
        self._pool.shutdown(wait=False, cancel_futures=True)


def slack_channel(url: str, client: httpx.Client | None = None) -> Channel:
    """A webhook that understands Slack's messages (Slack, Mattermost, Discord with /slack)."""
    http = client or http_client(timeout=TIMEOUT_SECONDS)

    def send(name: str, facts: Mapping[str, Any]) -> None:
        http.post(url, json=slack_message(name, facts)).raise_for_status()

    return send


def signed_channel(
    url: str, secret: str, client: httpx.Client | None = None, now: Callable[[], float] = time.time
) -> Channel:
    """Any webhook: the facts as JSON, signed so that the receiver can tell them from forged ones."""
    http = client or http_client(timeout=TIMEOUT_SECONDS)

    def send(name: str, facts: Mapping[str, Any]) -> None:
        body = json.dumps({"event": name, **facts}, sort_keys=True).encode()
        timestamp = str(int(now()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: f"sha256={sign(secret, timestamp, body)}",
        }
        http.post(url, content=body, headers=headers).raise_for_status()

    return send


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature a receiver computes again and compares in constant time."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def sns_channel(topic_arn: str, region: str, client: SNSClient | None = None) -> Channel:
    """An SNS topic: the facts as JSON, the name as an attribute to filter by."""
    sns: SNSClient = client or aws_client("sns", region)

    def send(name: str, facts: Mapping[str, Any]) -> None:
        sns.publish(
            TopicArn=topic_arn,
            Subject=f"{name}: {facts.get('service')} in {facts.get('environment')}"[:100],
            Message=json.dumps({"event": name, **facts}, sort_keys=True),
            MessageAttributes={"event": {"DataType": "String", "StringValue": name}},
        )

    return send


def slack_message(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Slack's layout: one line, and the facts as fields beside a coloured bar."""
    title = f"{facts.get('service')} in {facts.get('environment')}: {facts.get('text')}"
    shown = ("release", "version", "percent", "promotedFrom", "reason", "actor")
    fields = [{"title": key, "value": str(facts[key]), "short": True} for key in shown if facts.get(key) is not None]
    bar = next((colour for ending, colour in COLOURS.items() if name.endswith(ending)), "#439fe0")
    return {"text": title, "attachments": [{"color": bar, "title": name, "fields": fields, "fallback": title}]}


def _send(channel: Channel, name: str, facts: Mapping[str, Any]) -> None:
    try:
        channel(name, facts)
    except Exception as error:  # noqa: BLE001 - whatever a channel does, the rollout goes on
        # The type only: an httpx error carries the webhook's address, which is a secret.
        log.warning("notification not delivered", notification=name, error=type(error).__name__)
