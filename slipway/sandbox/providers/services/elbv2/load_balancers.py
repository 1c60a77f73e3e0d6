"""Load balancers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import AlreadyExistsError
from slipway.sandbox.providers.framework.functions import looked_up
from slipway.sandbox.providers.framework.resource import Call, Lookup, present
from slipway.sandbox.providers.services.elbv2.base import (
    ElbResource,
    attribute_list,
    attribute_values,
    live_tags,
)

READY_SECONDS = 600


class LoadBalancer(ElbResource):
    """aws.lb.LoadBalancer"""

    token = "aws:lb/loadBalancer:LoadBalancer"
    lookup = Lookup("describe_load_balancers", "LoadBalancerArns", "LoadBalancers")
    deletion = "delete_load_balancer"
    id_arguments = ("LoadBalancerArn",)
    force_new = frozenset({"name", "namePrefix", "internal", "loadBalancerType", "customerOwnedIpv4Pool"})
    defaults = {"loadBalancerType": "application"}
    conflicts = (("subnets", "subnetMappings"),)
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
        inputs = call.inputs
        if self.find(call):
            raise AlreadyExistsError(f"{self.token}: ELBv2 Load Balancer ({inputs['name']}) already exists")
        arguments = call.given("subnets", "securityGroups", "ipAddressType")
        if mappings := inputs.get("subnetMappings"):
            arguments["SubnetMappings"] = [
                present(
                    SubnetId=mapping["subnetId"],
                    AllocationId=mapping.get("allocationId"),
                    PrivateIPv4Address=mapping.get("privateIpv4Address"),
                )
                for mapping in mappings
            ]
        arn = call.client("elbv2").create_load_balancer(
            Name=self.new_name(call),
            Scheme="internal" if inputs.get("internal") else "internet-facing",
            Type=inputs["loadBalancerType"],
            Tags=call.tag_list,
            **arguments,
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self._set_attributes(call, arn, frozenset(inputs))
        self.wait_ready(call, arn, READY_SECONDS)
        return arn

    def is_ready(self, id: str, live: dict[str, Any]) -> bool:
        """As soon as it takes traffic."""
        return live["State"]["Code"] in {"active", "active_impaired"}

    def _set_attributes(self, call: Call, id: str, names: frozenset[str]) -> None:
        if attributes := attribute_list(call.inputs, self.attributes, names):
            call.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=id, Attributes=attributes)

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The load balancer, its attributes and tags."""
        zones = live.get("AvailabilityZones") or []
        attributes = call.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=id)["Attributes"]
        return {
            **attribute_values(attributes, self.attributes),
            "arn": id,
            "arnSuffix": id.split(":loadbalancer/", 1)[-1],
            "internal": live.get("Scheme") == "internal",
            "ipAddressType": live.get("IpAddressType") or "ipv4",
            "loadBalancerType": live.get("Type") or "application",
            "name": live["LoadBalancerName"],
            "subnetMappings": [_shown_mapping(zone) for zone in zones],
            "subnets": [zone["SubnetId"] for zone in zones],
            "tagsAll": live_tags(call, id),
            "zoneId": live.get("CanonicalHostedZoneId", ""),
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


def _shown_mapping(zone: dict[str, Any]) -> PropertyMap:
    address = next(iter(zone.get("LoadBalancerAddresses") or []), {})
    return present(
        subnetId=zone["SubnetId"],
        outpostId=zone.get("OutpostId"),
        allocationId=address.get("AllocationId"),
        privateIpv4Address=address.get("PrivateIPv4Address"),
    )


get_load_balancer = looked_up("aws:lb/getLoadBalancer:getLoadBalancer", LoadBalancer(), LoadBalancer().arn_of)
