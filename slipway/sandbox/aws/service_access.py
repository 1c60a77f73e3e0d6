"""Services that act by themselves need the policies that let them: SNS for a queue, S3 for a topic, Logs for a key."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.models import Rule
from moto.logs.models import LogsBackend
from moto.s3 import notifications
from moto.sns.models import Subscription, sns_backends
from moto.sqs.models import Queue, sqs_backends

from slipway.log import get_logger
from slipway.sandbox.aws.iam.patterns import ARN_PARTS
from slipway.sandbox.aws.iam.services import service_may, service_may_use_key

CLOUDWATCH, EVENTS, S3, SNS = (f"{name}.amazonaws.com" for name in ("cloudwatch", "events", "s3", "sns"))
OF_LOGS = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")
"""Source: CloudWatch Logs user guide, "Encrypt log data in CloudWatch Logs using AWS KMS"."""

log = get_logger(__name__)
_send_to_queue, _send_to_topic = notifications._send_sqs_message, notifications._send_sns_message


def ask_policies() -> None:
    """From here on, services look at the policies of queues, topics and keys."""
    Subscription.publish = _publishing(Subscription.publish)
    Queue._set_attributes = _keeping_policy(Queue._set_attributes)
    Rule._send_to_sqs_queue = _sending(Rule._send_to_sqs_queue)
    for name, told in (("_send_sqs_message", _notifying_queue), ("_send_sns_message", _notifying_topic)):
        setattr(notifications, name, told)
    LogsBackend.create_log_group = _creating(LogsBackend.create_log_group)


def may_send(service: str, queue_arn: str, source: str, account: str = "") -> bool:
    """Whether the service may send to the queue for `source`, and encrypt for it. `account`: of a source whose ARN has none."""
    parts = queue_arn.split(":")
    queue: Any = sqs_backends[parts[4]][parts[3]].queues.get(parts[5]) if len(parts) == ARN_PARTS else None
    key = str(getattr(queue, "kms_master_key_id", None) or "")
    return queue is not None and _may(service, "sqs:SendMessage", queue_arn, source, key=key, account=account)


def may_publish(service: str, topic_arn: str, source: str, account: str = "") -> bool:
    """As `may_send`, of a topic."""
    parts = topic_arn.split(":")
    topic: Any = sns_backends[parts[4]][parts[3]].topics.get(topic_arn) if len(parts) == ARN_PARTS else None
    return topic is not None and _may(
        service, "sns:Publish", topic_arn, source, key=str(topic.kms_master_key_id or ""), account=account
    )


def _may(service: str, action: str, arn: str, source: str, *, key: str, account: str) -> bool:
    keys = {"aws:SourceAccount": account, "aws:SourceOwner": account} if account else {}
    allowed = service_may(service, action, arn, source, keys) and (
        not key or service_may_use_key(service, _in_place_of(key, arn), source, keys=keys)
    )
    if not allowed:
        # AWS tells nobody either, but for metrics and logs.
        log.warning("not delivered: a policy does not allow it", service=service, source=source, to=arn)
    return allowed


def _in_place_of(key: str, arn: str) -> str:
    """The key as an ARN: an id or alias is one of the account and region of what it encrypts."""
    _, _, _, region, account, _ = arn.split(":", 5)
    if key.startswith("arn:"):
        return key
    return f"arn:aws:kms:{region}:{account}:{key if key.startswith('alias/') else f'key/{key}'}"


def _publishing(original: Any) -> Any:
    def publish(self: Any, *arguments: Any, **named: Any) -> None:
        if self.protocol != "sqs" or may_send(SNS, self.endpoint, self.topic_arn):
            original(self, *arguments, **named)

    return publish


def _keeping_policy(original: Any) -> Any:
    """A change of another attribute leaves a queue its policy. moto takes it away."""

    def set_attributes(self: Any, attributes: Any, now: Any = None) -> None:
        kept = vars(self).get("_policy_json")
        original(self, attributes, now)
        if kept is not None and "Policy" not in attributes:
            self._policy_json = kept

    return set_attributes


def _sending(original: Any) -> Any:
    """Of an EventBridge rule."""

    def send(self: Any, name: str, *arguments: Any) -> None:
        if may_send(EVENTS, f"arn:aws:sqs:{self.region_name}:{self.account_id}:{name}", self.arn):
            original(self, name, *arguments)

    return send


def _notifying_queue(account: str, event: Any, name: str, region: str) -> None:
    """Of a bucket. moto swallows whatever goes wrong here, and so does AWS."""
    if may_send(S3, f"arn:aws:sqs:{region}:{account}:{name}", _bucket_of(event), account):
        _send_to_queue(account, event, name, region)


def _notifying_topic(account: str, event: Any, topic: str, region: str) -> None:
    if may_publish(S3, topic, _bucket_of(event), account):
        _send_to_topic(account, event, topic, region)


def _bucket_of(event: Any) -> str:
    # The event that tries a new configuration has a form of its own.
    return f"arn:aws:s3:::{event.get('Bucket') or event['Records'][0]['s3']['bucket']['name']}"


def _creating(original: Any) -> Any:
    def create_log_group(self: Any, log_group_name: str, tags: Any, **named: Any) -> Any:
        group = f"arn:aws:logs:{self.region_name}:{self.account_id}:log-group:{log_group_name}"
        key = named.get("kmsKeyId")
        context = {"kms:EncryptionContext:aws:logs:arn": group}
        if key and not service_may_use_key(f"logs.{self.region_name}.amazonaws.com", str(key), group, OF_LOGS, context):
            message = f"The specified KMS key does not exist or is not allowed to be used with LogGroup '{group}'."
            raise JsonRESTError("InvalidParameterException", message)
        return original(self, log_group_name, tags, **named)

    return create_log_group
