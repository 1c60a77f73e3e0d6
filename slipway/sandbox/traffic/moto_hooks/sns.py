"""SNS over HTTP(S): subscriptions are confirmed before they get anything, and delivery never keeps the API waiting."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false, reportMissingTypeStubs=false
# moto is only partly typed.

from __future__ import annotations

import os
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode
from uuid import uuid4

from moto.core.responses import ActionResult
from moto.core.utils import iso_8601_datetime_with_milliseconds
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sns.exceptions import SNSInvalidParameter, TopicNotFound
from moto.sns.models import SNSBackend, Subscription, sns_backends
from moto.sns.responses import SNSResponse

from slipway.sandbox.ports import AWS_PORT, HOST_ADDRESS
from slipway.sandbox.traffic.http_delivery import HttpDelivery, Post, message_body
from slipway.sandbox.traffic.moto_hooks.patching import Method, Patches

PROTOCOLS = ("http", "https")
PENDING = "pending confirmation"
CONFIRM_ACTION, UNSUBSCRIBE_ACTION = URL_ACTIONS = ("ConfirmSubscription", "Unsubscribe")


def install(patches: Patches, delivery: HttpDelivery) -> None:
    """Join moto's SNS to `delivery`."""
    patches.replace(SNSBackend, "subscribe", _subscribe, delivery=delivery)
    patches.replace(Subscription, "publish", _publish, delivery=delivery)
    patches.replace(SNSResponse, "subscribe", _answer_subscribe)
    patches.put(SNSResponse, "confirm_subscription", _confirm_subscription)
    patches.replace(DomainDispatcherApplication, "infer_service_region_host", _infer_host)


def _infer_host(original: Method, self: Any, environ: dict[str, Any], path: str) -> str | None:
    """A subscriber follows SubscribeURL and UnsubscribeURL without AWS credentials, which moto takes for a request to S3."""
    query = parse_qs(str(environ.get("QUERY_STRING", "")))
    arn = (query.get("TopicArn") or query.get("SubscriptionArn") or [""])[0].split(":")
    if path == "/" and query.get("Action", [""])[0] in URL_ACTIONS and len(arn) > 5:
        return f"sns.{arn[3]}.amazonaws.com"
    return original(self, environ, path)


def _subscribe(
    original: Method, self: SNSBackend, topic_arn: str, endpoint: str, protocol: str, *, delivery: HttpDelivery
) -> Subscription:
    subscription: Any = original(self, topic_arn, endpoint, protocol)
    if protocol in PROTOCOLS and not subscription.confirmed:
        if not hasattr(subscription, "token"):
            subscription.token = secrets.token_hex(64)
            subscription.attributes["PendingConfirmation"] = "true"
        # AWS sends it again when somebody subscribes again.
        delivery.send(_confirmation(subscription))
    return subscription


def _answer_subscribe(original: Method, self: Any) -> ActionResult:
    answer = original(self)
    result: dict[str, Any] = answer.result
    subscription = self.backend.subscriptions.get(result["SubscriptionArn"])
    wants_arn = str(self._get_param("ReturnSubscriptionArn")).lower() == "true"
    if subscription is not None and _is_pending(subscription) and not wants_arn:
        return ActionResult({"SubscriptionArn": PENDING})
    return answer


def _confirm_subscription(self: Any) -> ActionResult:
    arn, token = str(self._get_param("TopicArn") or ""), str(self._get_param("Token") or "")
    parts = arn.split(":")
    backend = sns_backends[parts[4]][parts[3]] if len(parts) == 6 else None
    if backend is None or arn not in backend.topics:
        raise TopicNotFound
    for subscription in backend.subscriptions.values():
        known: str = getattr(subscription, "token", "")
        if subscription.topic_arn == arn and known and secrets.compare_digest(known, token):
            subscription.confirmed = True
            subscription.attributes["PendingConfirmation"] = "false"
            return ActionResult({"SubscriptionArn": subscription.arn})
    raise SNSInvalidParameter("Invalid parameter: Token")


def _publish(
    original: Method, self: Any, message: str, message_id: str, *, delivery: HttpDelivery, **kwargs: Any
) -> None:
    if self.protocol not in PROTOCOLS:
        original(self, message, message_id, **kwargs)
        return
    attributes, matcher = kwargs.get("message_attributes"), self._filter_policy_matcher
    if _is_pending(self) or (matcher is not None and not matcher.matches(attributes, message)):
        return
    if kwargs.get("message_structure") == "json":
        message = self._parse_message_structure(message, self.protocol)
    raw = str(self.attributes.get("RawMessageDelivery")).lower() == "true"
    body = message
    if not raw:
        document = self.get_post_data(message, message_id, kwargs.get("subject"), message_attributes=attributes)
        unsubscribe = {"Action": UNSUBSCRIBE_ACTION, "SubscriptionArn": self.arn}
        body = message_body({**document, "UnsubscribeURL": f"{_api_url()}/?{urlencode(unsubscribe)}"})
    delivery.send(
        Post(
            endpoint=self.endpoint,
            kind="Notification",
            message_id=message_id,
            topic_arn=self.topic_arn,
            subscription_arn=self.arn,
            body=body,
            raw=raw,
        )
    )


def _is_pending(subscription: Any) -> bool:
    """One without a token was made before the sandbox asked for confirmation."""
    return subscription.protocol in PROTOCOLS and hasattr(subscription, "token") and not subscription.confirmed


def _confirmation(subscription: Any) -> Post:
    message_id = str(uuid4())
    query = {"Action": CONFIRM_ACTION, "TopicArn": subscription.topic_arn, "Token": subscription.token}
    document = {
        "Type": "SubscriptionConfirmation",
        "MessageId": message_id,
        "Token": subscription.token,
        "TopicArn": subscription.topic_arn,
        "Message": f"You have chosen to subscribe to the topic {subscription.topic_arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message.",
        "SubscribeURL": f"{_api_url()}/?{urlencode(query)}",
        "Timestamp": iso_8601_datetime_with_milliseconds(),
        "SignatureVersion": "2",
    }
    return Post(
        endpoint=subscription.endpoint,
        kind="SubscriptionConfirmation",
        message_id=message_id,
        topic_arn=subscription.topic_arn,
        body=message_body(document),
    )


def _api_url() -> str:
    """The API as pods and the machine itself reach it."""
    return f"http://{HOST_ADDRESS}:{os.environ.get('MOTO_PORT') or AWS_PORT}"
