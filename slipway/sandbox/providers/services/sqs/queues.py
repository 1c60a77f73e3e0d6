"""SQS queues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import AlreadyExistsError
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource, prefixed_name, unless_missing
from slipway.sandbox.providers.framework.tags import Tagging

_FIFO = ".fifo"


class Queue(Resource):
    """aws.sqs.Queue"""

    token = "aws:sqs/queue:Queue"
    service = "sqs"
    deletion = "delete_queue"
    id_arguments = ("QueueUrl",)
    tagging = Tagging("tag_queue", "untag_queue", "QueueUrl", by="")
    force_new = frozenset({"name", "namePrefix", "fifoQueue"})
    auto_name = AutoName(max_length=75)
    defaults = {
        "contentBasedDeduplication": False,
        "delaySeconds": 0,
        "fifoQueue": False,
        "maxMessageSize": 262144,
        "messageRetentionSeconds": 345600,
        "receiveWaitTimeSeconds": 0,
        "visibilityTimeoutSeconds": 30,
    }
    json_properties = frozenset({"policy", "redrivePolicy", "redriveAllowPolicy"})
    numbers: Mapping[str, str] = {
        "delaySeconds": "DelaySeconds",
        "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
        "maxMessageSize": "MaximumMessageSize",
        "messageRetentionSeconds": "MessageRetentionPeriod",
        "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
        "visibilityTimeoutSeconds": "VisibilityTimeout",
    }
    texts: Mapping[str, str] = {
        "deduplicationScope": "DeduplicationScope",
        "fifoThroughputLimit": "FifoThroughputLimit",
        "kmsMasterKeyId": "KmsMasterKeyId",
        "policy": "Policy",
        "redriveAllowPolicy": "RedriveAllowPolicy",
        "redrivePolicy": "RedrivePolicy",
    }
    flags: Mapping[str, str] = {
        "contentBasedDeduplication": "ContentBasedDeduplication",
        "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    }

    def create(self, call: Call) -> str:
        """Create; AWS answers an existing queue of the same name and attributes, so the name is looked for first."""
        inputs = call.inputs
        if existing := self.find(call):
            raise AlreadyExistsError(f"{self.token}: QueueNameExists: {existing}")
        fifo = {"FifoQueue": "true"} if inputs.get("fifoQueue") else {}
        name = self._full_name(inputs) or prefixed_name(inputs["namePrefix"]) + (_FIFO if fifo else "")
        attributes = {**self._attributes(inputs, frozenset(inputs)), **fifo}
        if not fifo:
            attributes.pop("ContentBasedDeduplication", None)  # refused for standard queues, even as false
        return call.client("sqs").create_queue(QueueName=name, Attributes=attributes, tags=call.tags)["QueueUrl"]

    @staticmethod
    def _full_name(inputs: PropertyMap) -> str:
        name = str(inputs.get("name") or "")
        return f"{name}{_FIFO}" if name and inputs.get("fifoQueue") and not name.endswith(_FIFO) else name

    def _attributes(self, inputs: PropertyMap, names: frozenset[str]) -> dict[str, str]:
        result: dict[str, str] = {}
        for name, key in {**self.numbers, **self.texts, **self.flags}.items():
            if name not in names:
                continue
            value: Any = inputs.get(name)
            if name in self.flags:
                result[key] = "true" if value else "false"
            elif value is not None or name in self.texts:
                result[key] = "" if value is None else str(value)
        return result

    def find(self, call: Call) -> str | None:
        """By name."""
        name = self._full_name(call.inputs)
        found: Any = name and unless_missing(lambda: call.client("sqs").get_queue_url(QueueName=name))
        return str(found["QueueUrl"]) if found else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The queue."""
        sqs = call.client("sqs")
        live = sqs.get_queue_attributes(QueueUrl=id, AttributeNames=["All"])["Attributes"]
        name = str(live["QueueArn"]).rsplit(":", 1)[-1]
        given = str(call.state.get("name") or "")
        usual: dict[str, Any] = {"kmsDataKeyReusePeriodSeconds": 300, **self.defaults}
        return {
            **{p: int(str(live.get(key) or usual.get(p, 0))) for p, key in self.numbers.items()},
            **{p: live.get(key) or None for p, key in self.texts.items()},
            "policy": live.get("Policy") or "",
            "arn": live["QueueArn"],
            "contentBasedDeduplication": live.get("ContentBasedDeduplication", "false").lower() == "true",
            "fifoQueue": live.get("FifoQueue", "false").lower() == "true",
            "name": given if f"{given}{_FIFO}" == name else name,
            "sqsManagedSseEnabled": live.get("SqsManagedSseEnabled", "false").lower() == "true",
            "tagsAll": dict(sqs.list_queue_tags(QueueUrl=id).get("Tags") or {}),
            "url": id,
        }

    def update(self, call: Call, id: str) -> None:
        """Attributes; a removed text becomes empty."""
        if attributes := self._attributes({**self.defaults, **call.inputs}, call.changed):
            call.client("sqs").set_queue_attributes(QueueUrl=id, Attributes=attributes)
