"""SNS topics and subscriptions."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.attributes import attribute_text, parsed
from slipway.sandbox.providers.framework.faults import AlreadyExistsError
from slipway.sandbox.providers.framework.resource import (
    AutoName,
    Call,
    Resource,
    prefixed_name,
    present,
    unless_missing,
)
from slipway.sandbox.providers.framework.tags import Tagging, tag_map

_FIFO = ".fifo"


class Topic(Resource):
    """aws.sns.Topic"""

    token = "aws:sns/topic:Topic"
    deletion = "delete_topic"
    id_arguments = ("TopicArn",)
    tagging = Tagging(by="")
    service = "sns"
    force_new = frozenset({"name", "namePrefix", "fifoTopic"})
    auto_name = AutoName(max_length=256)
    json_properties = frozenset({"policy", "deliveryPolicy", "archivePolicy"})
    unsupported = frozenset(
        f"{protocol}{what}"
        for protocol in ("application", "firehose", "http", "lambda", "sqs")
        for what in ("FailureFeedbackRoleArn", "SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate")
    ) | {"archivePolicy", "fifoThroughputScope", "maximumMessageSize"}
    attributes: Mapping[str, str] = {
        "contentBasedDeduplication": "ContentBasedDeduplication",
        "deliveryPolicy": "DeliveryPolicy",
        "displayName": "DisplayName",
        "kmsMasterKeyId": "KmsMasterKeyId",
        "policy": "Policy",
        "signatureVersion": "SignatureVersion",
        "tracingConfig": "TracingConfig",
    }

    def create(self, call: Call) -> str:
        """Create; AWS refuses a name that is taken by a topic with other tags, and ours always have some of their own."""
        inputs = call.inputs
        fifo = bool(inputs.get("fifoTopic"))
        if existing := self.find(call):
            raise AlreadyExistsError(f"{self.token}: {existing} already exists with different tags")
        name = self._full_name(inputs) or prefixed_name(inputs["namePrefix"]) + (_FIFO if fifo else "")
        attributes = {
            key: attribute_text(inputs[property_])
            for property_, key in self.attributes.items()
            if inputs.get(property_) is not None
        }
        if fifo:
            attributes["FifoTopic"] = "true"
        return call.client("sns").create_topic(Name=name, Attributes=attributes, Tags=call.tag_list)["TopicArn"]

    @staticmethod
    def _full_name(inputs: PropertyMap) -> str:
        name = str(inputs.get("name") or "")
        return f"{name}{_FIFO}" if name and inputs.get("fifoTopic") and not name.endswith(_FIFO) else name

    def find(self, call: Call) -> str | None:
        """By name, which the ARN is made of."""
        if not call.inputs.get("name"):
            return None
        arn = call.arn("sns", self._full_name(call.inputs))
        return arn if unless_missing(lambda: call.client("sns").get_topic_attributes(TopicArn=arn)) else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The topic."""
        sns = call.client("sns")
        live = sns.get_topic_attributes(TopicArn=id)["Attributes"]
        given = str(call.state.get("name") or "")
        name = id.rsplit(":", 1)[-1]
        return {
            "arn": id,
            "beginningArchiveTime": live.get("BeginningArchiveTime") or "",
            "contentBasedDeduplication": live.get("ContentBasedDeduplication", "false") == "true",
            "deliveryPolicy": live.get("DeliveryPolicy") or None,
            "displayName": live.get("DisplayName") or None,
            "fifoTopic": live.get("FifoTopic", "false") == "true",
            "kmsMasterKeyId": live.get("KmsMasterKeyId") or None,
            "name": given if f"{given}{_FIFO}" == name else name,
            "owner": live.get("Owner") or call.session.account_id,
            "policy": live.get("Policy") or "",
            **({"signatureVersion": parsed(live["SignatureVersion"])} if live.get("SignatureVersion") else {}),
            "tagsAll": tag_map(sns.list_tags_for_resource(ResourceArn=id)["Tags"]),
            **({"tracingConfig": live["TracingConfig"]} if live.get("TracingConfig") else {}),
        }

    def update(self, call: Call, id: str) -> None:
        """Attributes; a removed one becomes empty."""
        for name, key in self.attributes.items():
            if call.changes(name):
                value = call.inputs.get(name)
                text = "" if value is None else attribute_text(value)
                call.client("sns").set_topic_attributes(TopicArn=id, AttributeName=key, AttributeValue=text)


class TopicSubscription(Resource):
    """aws.sns.TopicSubscription"""

    token = "aws:sns/topicSubscription:TopicSubscription"
    service = "sns"
    deletion = "unsubscribe"
    id_arguments = ("SubscriptionArn",)
    force_new = frozenset({"endpoint", "protocol", "topic"})
    defaults = {"confirmationTimeoutInMinutes": 1, "endpointAutoConfirms": False, "rawMessageDelivery": False}
    enums = {
        "protocol": (
            "application",
            "email",
            "email-json",
            "firehose",
            "http",
            "https",
            "lambda",
            "sms",
            "sqs",
        )
    }
    json_properties = frozenset({"deliveryPolicy", "filterPolicy", "redrivePolicy", "replayPolicy"})
    write_only = frozenset({"confirmationTimeoutInMinutes", "endpointAutoConfirms"})
    attributes: Mapping[str, str] = {
        "deliveryPolicy": "DeliveryPolicy",
        "filterPolicy": "FilterPolicy",
        "filterPolicyScope": "FilterPolicyScope",
        "rawMessageDelivery": "RawMessageDelivery",
        "redrivePolicy": "RedrivePolicy",
        "replayPolicy": "ReplayPolicy",
        "subscriptionRoleArn": "SubscriptionRoleArn",
    }

    def create(self, call: Call) -> str:
        """Subscribe; mail addresses stay pending until somebody confirms. Repeating it answers the same subscription."""
        inputs = call.inputs
        attributes = {
            key: attribute_text(inputs[name])
            for name, key in self.attributes.items()
            if inputs.get(name) is not None and inputs[name] is not False
        }
        return call.client("sns").subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The subscription."""
        live = call.client("sns").get_subscription_attributes(SubscriptionArn=id)["Attributes"]
        return {
            "arn": id,
            "confirmationWasAuthenticated": live.get("ConfirmationWasAuthenticated", "false") == "true",
            "deliveryPolicy": live.get("DeliveryPolicy") or None,
            "endpoint": live["Endpoint"],
            "filterPolicy": live.get("FilterPolicy") or None,
            "ownerId": live.get("Owner") or call.session.account_id,
            "pendingConfirmation": live.get("PendingConfirmation", "false") == "true",
            "protocol": live["Protocol"],
            "rawMessageDelivery": str(live.get("RawMessageDelivery", "false")).lower() == "true",
            "redrivePolicy": live.get("RedrivePolicy") or None,
            "topic": live["TopicArn"],
            **present(
                filterPolicyScope=live.get("FilterPolicyScope"), subscriptionRoleArn=live.get("SubscriptionRoleArn")
            ),
        }

    def update(self, call: Call, id: str) -> None:
        """Attributes."""
        for name, key in self.attributes.items():
            if call.changes(name):
                value = call.inputs.get(name)
                text = "" if value is None else attribute_text(value)
                call.client("sns").set_subscription_attributes(
                    SubscriptionArn=id, AttributeName=key, AttributeValue=text
                )
