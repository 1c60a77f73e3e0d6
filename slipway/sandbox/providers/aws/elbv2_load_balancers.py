"""Load balancers and target groups."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

# ruff: noqa: A002 - `id` and `token` are Pulumi's words; a type's tables are constants
from collections.abc import Mapping
from typing import Any

from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.aws.arn_tags import ListTags
from slipway.sandbox.providers.aws.check import prefixed_name
from slipway.sandbox.providers.aws.faults import AlreadyExistsError, error_code, is_not_found
from slipway.sandbox.providers.aws.resource import AutoName, Call, present, tag_map

READY_SECONDS = 600
_NAME_LENGTH = 32


class ElbResource(ListTags):
    """What all ELB types share: the ARN is the id, and tags are set by ARN."""

    service = "elbv2"
    arn_argument = "ResourceArns"
    tag_operation = "add_tags"
    untag_operation = "remove_tags"
    many_arns = True


def live_tags(call: Call, arn: str) -> dict[str, str]:
    """The tags of any ELB resource."""
    return tag_map(call.client("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


def short_name(call: Call) -> str:
    """The name, or one made from `namePrefix`; ELB takes 32 characters."""
    return str(call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"])[:_NAME_LENGTH])


def attribute_list(inputs: PropertyMap, attributes: Mapping[str, str], names: frozenset[str]) -> list[dict[str, str]]:
    """Key and value of each attribute in `names` that was given."""
    return [
        {"Key": key, "Value": attribute_text(inputs[name])}
        for name, key in attributes.items()
        if name in names and inputs.get(name) is not None
    ]


def attribute_text(value: Any) -> str:
    """ELB's attributes are texts."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def attribute_values(live: list[dict[str, str]], attributes: Mapping[str, str]) -> PropertyMap:
    """Attributes as properties; what the endpoint does not tell is left out, and stays as given."""
    found = {entry["Key"]: entry["Value"] for entry in live}
    return {name: parsed(found[key]) for name, key in attributes.items() if key in found}


def parsed(text: str) -> Any:
    """`true` and `15` as a boolean and a number."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdigit() else text


class LoadBalancer(ElbResource):
    """aws.lb.LoadBalancer"""

    token = "aws:lb/loadBalancer:LoadBalancer"
    aliases = (
        "aws:alb/loadBalancer:LoadBalancer",
        "aws:elasticloadbalancingv2/loadBalancer:LoadBalancer",
    )
    force_new = frozenset({"name", "namePrefix", "internal", "loadBalancerType", "customerOwnedIpv4Pool"})
    defaults = {"loadBalancerType": "application"}
    auto_name = AutoName(max_length=_NAME_LENGTH)
    conflicts = (("name", "namePrefix"), ("subnets", "subnetMappings"))
    enums = {"loadBalancerType": ("application", "network", "gateway")}
    conflict_codes = frozenset({"DuplicateLoadBalancerName"})
    unsupported = frozenset(
        {
            "accessLogs",
            "connectionLogs",
            "customerOwnedIpv4Pool",
            "dnsRecordClientRoutingPolicy",
            "enablePrefixForIpv6SourceNat",
            "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
            "healthCheckLogs",
            "ipamPools",
            "minimumLoadBalancerCapacity",
            "secondaryIpsAutoAssignedPerSubnet",
        }
    )
    attributes: Mapping[str, str] = {
        "clientKeepAlive": "client_keep_alive.seconds",
        "desyncMitigationMode": "routing.http.desync_mitigation_mode",
        "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
        "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
        "enableDeletionProtection": "deletion_protection.enabled",
        "enableHttp2": "routing.http2.enabled",
        "enableTlsVersionAndCipherSuiteHeaders": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
        "enableWafFailOpen": "waf.fail_open.enabled",
        "enableXffClientPort": "routing.http.xff_client_port.enabled",
        "enableZonalShift": "zonal_shift.config.enabled",
        "idleTimeout": "idle_timeout.timeout_seconds",
        "preserveHostHeader": "routing.http.preserve_host_header.enabled",
        "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
    }

    def create(self, call: Call) -> str:
        """Create, set attributes, wait until it is active. Looks for the name first, as Terraform does."""
        elb, inputs = call.client("elbv2"), call.inputs
        if self.find(call):
            raise AlreadyExistsError(f"{self.token}: ELBv2 Load Balancer ({inputs['name']}) already exists")
        arguments = call.given(Subnets="subnets", SecurityGroups="securityGroups", IpAddressType="ipAddressType")
        if mappings := inputs.get("subnetMappings"):
            arguments["SubnetMappings"] = [
                present(
                    SubnetId=mapping["subnetId"],
                    AllocationId=mapping.get("allocationId"),
                    PrivateIPv4Address=mapping.get("privateIpv4Address"),
                )
                for mapping in mappings
            ]
        arn = elb.create_load_balancer(
            Name=short_name(call),
            Scheme="internal" if inputs.get("internal") else "internet-facing",
            Type=inputs["loadBalancerType"],
            Tags=call.tag_list,
            **arguments,
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self._set_attributes(call, arn, frozenset(inputs))

        def is_active() -> bool:
            state = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"]
            return state in {"active", "active_impaired"}

        call.wait(f"load balancer {arn} to become active", is_active, seconds=READY_SECONDS)
        return arn

    def find(self, call: Call) -> str | None:
        """By name."""
        if not call.inputs.get("name"):
            return None
        try:
            found = call.client("elbv2").describe_load_balancers(Names=[call.inputs["name"]])["LoadBalancers"]
        except Exception as error:
            if is_not_found(error):
                return None
            raise
        return found[0]["LoadBalancerArn"] if found else None

    def _set_attributes(self, call: Call, id: str, names: frozenset[str]) -> None:
        if attributes := attribute_list(call.inputs, self.attributes, names):
            call.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=id, Attributes=attributes)

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The load balancer, its attributes and tags."""
        elb = call.client("elbv2")
        found = elb.describe_load_balancers(LoadBalancerArns=[id])["LoadBalancers"]
        if not found:
            return None
        balancer = found[0]
        zones = balancer.get("AvailabilityZones") or []
        attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=id)["Attributes"]
        return {
            **attribute_values(attributes, self.attributes),
            "arn": id,
            "arnSuffix": id.split(":loadbalancer/", 1)[-1],
            "dnsName": balancer["DNSName"],
            "internal": balancer.get("Scheme") == "internal",
            "ipAddressType": balancer.get("IpAddressType") or "ipv4",
            "loadBalancerType": balancer.get("Type") or "application",
            "name": balancer["LoadBalancerName"],
            "namePrefix": call.inputs.get("namePrefix") or call.outputs.get("namePrefix") or "",
            "region": call.region,
            "securityGroups": balancer.get("SecurityGroups") or [],
            "subnetMappings": [_shown_mapping(zone) for zone in zones],
            "subnets": [zone["SubnetId"] for zone in zones],
            "tagsAll": live_tags(call, id),
            "vpcId": balancer.get("VpcId", ""),
            "zoneId": balancer.get("CanonicalHostedZoneId", ""),
        }

    def update(self, call: Call, id: str) -> None:
        """Attributes, security groups, subnets and address type."""
        elb, inputs = call.client("elbv2"), call.inputs
        self._set_attributes(call, id, call.changed)
        if call.changes("securityGroups"):
            elb.set_security_groups(LoadBalancerArn=id, SecurityGroups=inputs.get("securityGroups") or [])
        if call.changes("subnets") and inputs.get("subnets"):
            elb.set_subnets(LoadBalancerArn=id, Subnets=inputs["subnets"])
        if call.changes("subnetMappings") and inputs.get("subnetMappings"):
            mappings = [{"SubnetId": mapping["subnetId"]} for mapping in inputs["subnetMappings"]]
            elb.set_subnets(LoadBalancerArn=id, SubnetMappings=mappings)
        if call.changes("ipAddressType") and inputs.get("ipAddressType"):
            elb.set_ip_address_type(LoadBalancerArn=id, IpAddressType=inputs["ipAddressType"])

    def delete(self, call: Call, id: str) -> None:
        """Delete, with its listeners."""
        call.client("elbv2").delete_load_balancer(LoadBalancerArn=id)


def _shown_mapping(zone: dict[str, Any]) -> PropertyMap:
    address = next(iter(zone.get("LoadBalancerAddresses") or []), {})
    return present(
        subnetId=zone["SubnetId"],
        outpostId=zone.get("OutpostId"),
        allocationId=address.get("AllocationId"),
        privateIpv4Address=address.get("PrivateIPv4Address"),
    )


class TargetGroup(ElbResource):
    """aws.lb.TargetGroup"""

    token = "aws:lb/targetGroup:TargetGroup"
    aliases = ("aws:alb/targetGroup:TargetGroup", "aws:elasticloadbalancingv2/targetGroup:TargetGroup")
    force_new = frozenset(
        {"name", "namePrefix", "port", "protocol", "protocolVersion", "targetType", "vpcId", "ipAddressType"}
    )
    defaults = {"targetType": "instance"}
    auto_name = AutoName(max_length=_NAME_LENGTH)
    conflicts = (("name", "namePrefix"),)
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
        elb = call.client("elbv2")
        arguments = call.given(
            Protocol="protocol",
            ProtocolVersion="protocolVersion",
            Port="port",
            VpcId="vpcId",
            TargetType="targetType",
            IpAddressType="ipAddressType",
        )
        group = elb.create_target_group(
            Name=short_name(call), Tags=call.tag_list, **arguments, **_health_arguments(call.inputs.get("healthCheck"))
        )["TargetGroups"][0]
        self._set_attributes(call, group["TargetGroupArn"], frozenset(call.inputs))
        return group["TargetGroupArn"]

    def find(self, call: Call) -> str | None:
        """By name."""
        if not call.inputs.get("name"):
            return None
        found = call.client("elbv2").describe_target_groups(Names=[call.inputs["name"]])["TargetGroups"]
        return found[0]["TargetGroupArn"] if found else None

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

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The target group, its attributes and tags."""
        elb = call.client("elbv2")
        found = elb.describe_target_groups(TargetGroupArns=[id])["TargetGroups"]
        if not found:
            return None
        group = found[0]
        attributes = elb.describe_target_group_attributes(TargetGroupArn=id)["Attributes"]
        values = attribute_values(attributes, self.attributes)
        for name in ("loadBalancingCrossZoneEnabled", "preserveClientIp"):
            if name in values:
                values[name] = attribute_text(values[name])  # texts to Terraform, unlike the others
        return {
            **values,
            "arn": id,
            "arnSuffix": id.rsplit(":", 1)[-1],
            "healthCheck": _shown_health(group),
            "ipAddressType": group.get("IpAddressType") or "ipv4",
            "loadBalancerArns": sorted(set(group.get("LoadBalancerArns") or [])),
            "name": group["TargetGroupName"],
            "namePrefix": call.inputs.get("namePrefix") or call.outputs.get("namePrefix") or "",
            "port": group.get("Port"),
            "protocol": group.get("Protocol"),
            "protocolVersion": group.get("ProtocolVersion") or "",
            "region": call.region,
            "stickiness": _shown_stickiness({entry["Key"]: entry["Value"] for entry in attributes}),
            "tagsAll": live_tags(call, id),
            "targetType": group.get("TargetType") or "instance",
            "vpcId": group.get("VpcId"),
        }

    def update(self, call: Call, id: str) -> None:
        """Health check and attributes."""
        if call.changes("healthCheck") and call.inputs.get("healthCheck"):
            call.client("elbv2").modify_target_group(TargetGroupArn=id, **_health_arguments(call.inputs["healthCheck"]))
        self._set_attributes(call, id, call.changed)

    def delete(self, call: Call, id: str) -> None:
        """Delete once no listener forwards to it."""

        def attempt() -> bool:
            try:
                call.client("elbv2").delete_target_group(TargetGroupArn=id)
            except Exception as error:
                if error_code(error) == "ResourceInUse":
                    return False
                raise
            return True

        call.wait(f"listeners to let go of target group {id}", attempt, seconds=120, interval_seconds=2)


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


RESOURCES = (LoadBalancer(), TargetGroup())
