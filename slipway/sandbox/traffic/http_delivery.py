"""Posts SNS messages to HTTP(S) endpoints: in the background, in AWS's form, tried again while it may help."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import RetryError, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from slipway.log import get_logger

ATTEMPTS = 4
"""AWS: the first try and three retries, 20 s apart; here with short pauses, since nobody waits for minutes in a sandbox."""
FIRST_PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 5
WORKERS = 4

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Post:
    """One message to one endpoint."""

    endpoint: str
    kind: str
    """`Notification` or `SubscriptionConfirmation`."""
    message_id: str
    topic_arn: str
    subscription_arn: str = ""
    body: str
    raw: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """Source: "HTTP/HTTPS headers", Amazon SNS developer guide."""
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "User-Agent": "Amazon Simple Notification Service Agent",
            "x-amz-sns-message-type": self.kind,
            "x-amz-sns-message-id": self.message_id,
            "x-amz-sns-topic-arn": self.topic_arn,
        }
        if self.subscription_arn:
            headers["x-amz-sns-subscription-arn"] = self.subscription_arn
        if self.raw:
            headers["x-amz-sns-rawdelivery"] = "true"
        return headers


class HttpDelivery:
    """Delivers posts. One that fails for good is logged and given up, as SNS does without a dead-letter queue."""

    def __init__(self, *, first_pause_seconds: float = FIRST_PAUSE_SECONDS) -> None:
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, verify=False)  # noqa: S501 - endpoints of a sandbox have no public names
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="sns-http")
        self._retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=first_pause_seconds),
        )

    def send(self, post: Post) -> None:
        """Deliver in the background."""
        self._workers.submit(self._deliver, post)

    def stop(self) -> None:
        """Give up what is not delivered yet."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _deliver(self, post: Post) -> None:
        try:
            self._retrying.copy()(self._post, post)
        except (httpx.HTTPError, httpx.InvalidURL, RetryError, RuntimeError) as error:
            log.warning("sns could not deliver", endpoint=_without_query(post.endpoint), error=type(error).__name__)

    def _post(self, post: Post) -> None:
        self._client.post(post.endpoint, content=post.body.encode(), headers=post.headers).raise_for_status()


def message_body(document: Mapping[str, Any]) -> str:
    """A message as SNS writes it: JSON with a line per field."""
    return json.dumps(document, indent=2)


def _may_pass(error: BaseException) -> bool:
    """AWS gives up at once on client errors but 429."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, httpx.TransportError)


def _without_query(endpoint: str) -> str:
    """A webhook's secret often is in its query, or after the host."""
    return "/".join(endpoint.split("/")[:3])
