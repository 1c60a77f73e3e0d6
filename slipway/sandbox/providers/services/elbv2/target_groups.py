"""Target groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.attributes import attribute_text
from slipway.sandbox.providers.framework.functions import looked_up
from slipway.sandbox.providers.framework.resource import Call, Lookup, present
from slipway.sandbox.providers.services.elbv2.base import (
    ElbResource,
    attribute_list,
    attribute_values,
    live_tags,
)


class TargetGroup(ElbResource):
    """aws.lb.TargetGroup"""

    token = "aws:lb/targetGroup:TargetGroup"
    lookup = Lookup("describe_target_groups", "TargetGroupArns", "TargetGroups")
    deletion = "delete_target_group"
    id_arguments = ("TargetGroupArn",)
    busy_codes = frozenset({"ResourceInUse"})  # until no listener forwards to it
    delete_seconds = 120
    force_new = frozenset(
        {"name", "namePrefix", "port", "protocol", "protocolVersion", "targetType", "vpcId", "ipAddressType"}
    )
    defaults = {"targetType": "instance"}
    enums = {"targetType": ("instance", "ip", "alb")}
    conflict_codes = frozenset({"DuplicateTargetGroupName"})
    unsupported = frozenset(
        {
            "lambdaMultiValueHeadersEnabled",
            "targetControlPort",
            "targetFailovers",
            "targetGroupHealth",
            "targetHealthStates",
        }
    )
    attributes: Mapping[str, str] = {
        "connectionTermination": "deregistration_delay.connection_termination.enabled",
        "deregistrationDelay": "deregistration_delay.timeout_seconds",
        "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
        "loadBalancingAnomalyMitigation": "load_balancing.algorithm.anomaly_mitigation",
        "loadBalancingCrossZoneEnabled": "load_balancing.cross_zone.enabled",
        "preserveClientIp": "preserve_client_ip.enabled",
        "proxyProtocolV2": "proxy_protocol_v2.enabled",
        "slowStart": "slow_start.duration_seconds",
    }

    def create(self, call: Call) -> str:
        """Create and set attributes."""
        arguments = call.given("protocol", "protocolVersion", "port", "vpcId", "targetType", "ipAddressType")
        group = call.client("elbv2").create_target_group(
            Name=self.new_name(call),
            Tags=call.tag_list,
            **arguments,
            **_health_arguments(call.inputs.get("healthCheck")),
        )["TargetGroups"][0]
        self._set_attributes(call, group["TargetGroupArn"], frozenset(call.inputs))
        return group["TargetGroupArn"]

    def _set_attributes(self, call: Call, id: str, names: frozenset[str]) -> None:
        attributes = attribute_list(call.inputs, self.attributes, names)
        if "stickiness" in names and (stickiness := call.inputs.get("stickiness")):
            attributes.append({"Key": "stickiness.enabled", "Value": attribute_text(stickiness.get("enabled", True))})
            attributes.append({"Key": "stickiness.type", "Value": stickiness["type"]})
            seconds = stickiness.get("cookieDuration")
            if seconds is not None and stickiness["type"] in {"lb_cookie", "app_cookie"}:
                attributes.append({"Key": f"stickiness.{stickiness['type']}.duration_seconds", "Value": str(seconds)})
            if stickiness.get("cookieName"):
                attributes.append({"Key": "stickiness.app_cookie.cookie_name", "Value": stickiness["cookieName"]})
        if attributes:
            call.client("elbv2").modify_target_group_attributes(TargetGroupArn=id, Attributes=attributes)

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The target group, its attributes and tags."""
        attributes = call.client("elbv2").describe_target_group_attributes(TargetGroupArn=id)["Attributes"]
        values = attribute_values(attributes, self.attributes)
        for name in ("loadBalancingCrossZoneEnabled", "preserveClientIp"):
            if name in values:
                values[name] = attribute_text(values[name])  # texts to Terraform, unlike the others
        return {
            **values,
            "arn": id,
            "arnSuffix": id.rsplit(":", 1)[-1],
            "healthCheck": _shown_health(live),
            "ipAddressType": live.get("IpAddressType") or "ipv4",
            "loadBalancerArns": sorted(set(live.get("LoadBalancerArns") or [])),
            "name": live["TargetGroupName"],
            "stickiness": _shown_stickiness({entry["Key"]: entry["Value"] for entry in attributes}),
            "tagsAll": live_tags(call, id),
        }

    def update(self, call: Call, id: str) -> None:
        """Health check and attributes."""
        if call.changes("healthCheck") and call.inputs.get("healthCheck"):
            call.client("elbv2").modify_target_group(TargetGroupArn=id, **_health_arguments(call.inputs["healthCheck"]))
        self._set_attributes(call, id, call.changed)


def _health_arguments(check: PropertyMap | None) -> dict[str, Any]:
    if not check:
        return {}
    matcher = check.get("matcher")
    return present(
        HealthCheckEnabled=check.get("enabled"),
        HealthCheckIntervalSeconds=check.get("interval"),
        HealthCheckPath=check.get("path") or None,
        HealthCheckPort=check.get("port"),
        HealthCheckProtocol=check.get("protocol"),
        HealthCheckTimeoutSeconds=check.get("timeout"),
        HealthyThresholdCount=check.get("healthyThreshold"),
        Matcher={"HttpCode": matcher} if matcher else None,
        UnhealthyThresholdCount=check.get("unhealthyThreshold"),
    )


def _shown_health(group: dict[str, Any]) -> PropertyMap:
    matcher = group.get("Matcher") or {}
    return present(
        enabled=bool(group.get("HealthCheckEnabled", True)),
        healthyThreshold=group.get("HealthyThresholdCount"),
        interval=group.get("HealthCheckIntervalSeconds"),
        matcher=matcher.get("HttpCode") or matcher.get("GrpcCode"),
        path=group.get("HealthCheckPath"),
        port=group.get("HealthCheckPort"),
        protocol=group.get("HealthCheckProtocol"),
        timeout=group.get("HealthCheckTimeoutSeconds"),
        unhealthyThreshold=group.get("UnhealthyThresholdCount"),
    )


def _shown_stickiness(found: Mapping[str, str]) -> PropertyMap:
    kind = found.get("stickiness.type", "lb_cookie")
    return {
        "cookieDuration": int(found.get(f"stickiness.{kind}.duration_seconds", "86400")),
        "cookieName": found.get("stickiness.app_cookie.cookie_name", ""),
        "enabled": found.get("stickiness.enabled", "false") == "true",
        "type": kind,
    }


get_target_group = looked_up("aws:lb/getTargetGroup:getTargetGroup", TargetGroup(), TargetGroup().arn_of)
