"""Load balancers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.check import prefixed_name
from slipway.sandbox.providers.framework.faults import AlreadyExistsError, is_not_found
from slipway.sandbox.providers.framework.functions import Function, FunctionCall, looked_up, the_one
from slipway.sandbox.providers.framework.resource import AutoName, Call, present
from slipway.sandbox.providers.services.elbv2.base import (
    NAME_LENGTH,
    ElbResource,
    attribute_list,
    attribute_values,
    live_tags,
)

READY_SECONDS = 600


class LoadBalancer(ElbResource):
    """aws.lb.LoadBalancer"""

    token = "aws:lb/loadBalancer:LoadBalancer"
    aliases = (
        "aws:alb/loadBalancer:LoadBalancer",
        "aws:elasticloadbalancingv2/loadBalancer:LoadBalancer",
    )
    force_new = frozenset({"name", "namePrefix", "internal", "loadBalancerType", "customerOwnedIpv4Pool"})
    defaults = {"loadBalancerType": "application"}
    auto_name = AutoName(max_length=NAME_LENGTH)
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
            Name=call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"]),
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


def _balancer_arn(call: FunctionCall) -> str:
    if call.args.get("arn"):
        return str(call.args["arn"])
    found = call.client("elbv2").describe_load_balancers(Names=[call.required("name")])["LoadBalancers"]
    return the_one("ELBv2 Load Balancer", [item["LoadBalancerArn"] for item in found])


RESOURCES = (LoadBalancer(),)
FUNCTIONS: Mapping[str, Function] = {
    "aws:lb/getLoadBalancer:getLoadBalancer": looked_up(LoadBalancer(), _balancer_arn),
    "aws:alb/getLoadBalancer:getLoadBalancer": looked_up(LoadBalancer(), _balancer_arn),
}
