"""Hosted zones."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, looked_up, the_one
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource
from slipway.sandbox.providers.framework.session import PARTITION
from slipway.sandbox.providers.framework.tags import MARKER_TAG, marker_value, tag_map, tag_pairs
from slipway.sandbox.providers.services.route53.base import APEX_TYPES, change_record, list_records, zone_id


class Zone(Resource):
    """aws.route53.Zone"""

    token = "aws:route53/zone:Zone"
    service = "route53"
    deletion = "delete_hosted_zone"
    id_arguments = ("Id",)
    force_new = frozenset({"name"})
    defaults = {"comment": "Managed by Pulumi", "forceDestroy": False}
    auto_name = AutoName(max_length=255)
    write_only = frozenset({"forceDestroy"})
    unsupported = frozenset({"delegationSetId", "enableAcceleratedRecovery"})

    def create(self, call: Call) -> str:
        """Create, with the tags that CreateHostedZone does not take."""
        route53, vpcs = call.client("route53"), call.inputs.get("vpcs") or []
        arguments: dict[str, Any] = {"VPC": _vpc(call, vpcs[0])} if vpcs else {}
        zone = zone_id(
            route53.create_hosted_zone(
                Name=call.inputs["name"],
                CallerReference=secrets.token_hex(16),
                HostedZoneConfig={"Comment": call.inputs["comment"], "PrivateZone": bool(vpcs)},
                **arguments,
            )["HostedZone"]["Id"]
        )
        route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, AddTags=call.tag_list)
        for vpc in vpcs[1:]:
            route53.associate_vpc_with_hosted_zone(HostedZoneId=zone, VPC=_vpc(call, vpc))
        return zone

    def find_marked(self, call: Call) -> list[str]:
        """Two zones may have one name."""
        route53, wanted = call.client("route53"), marker_value(call.ctx.urn)
        pages = route53.get_paginator("list_hosted_zones").paginate()
        ids = [zone_id(zone["Id"]) for page in pages for zone in page["HostedZones"]]
        return [zone for zone in ids if _tags(route53, zone).get(MARKER_TAG) == wanted]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The zone."""
        route53 = call.client("route53")
        live = route53.get_hosted_zone(Id=id)
        zone, servers = live["HostedZone"], sorted((live.get("DelegationSet") or {}).get("NameServers") or ())
        vpcs = [{"vpcId": each["VPCId"], "vpcRegion": each["VPCRegion"]} for each in live.get("VPCs") or ()]
        given: list[PropertyMap] = call.state.get("vpcs") or []
        regions = {each["vpcId"] for each in given if "vpcRegion" not in each}
        return {
            "arn": f"arn:{PARTITION}:route53:::hostedzone/{id}",
            "comment": (zone.get("Config") or {}).get("Comment") or "",
            "name": str(zone["Name"]).rstrip("."),
            "nameServers": servers,
            "primaryNameServer": servers[0] if servers else "",
            "tagsAll": _tags(route53, id),
            "vpcs": [{k: v for k, v in each.items() if k == "vpcId" or each["vpcId"] not in regions} for each in vpcs],
            "zoneId": id,
        }

    def update(self, call: Call, id: str) -> None:
        """Comment and networks."""
        route53 = call.client("route53")
        if call.changes("comment"):
            route53.update_hosted_zone_comment(Id=id, Comment=call.inputs.get("comment") or "")
        if call.changes("vpcs"):
            old = {each["vpcId"]: each for each in call.old_inputs.get("vpcs") or []}
            new = {each["vpcId"]: each for each in call.inputs.get("vpcs") or []}
            if not old or not new:
                raise ProviderError("a zone cannot become private, or public, once it is made; give it another name")
            for vpc in new.keys() - old.keys():
                route53.associate_vpc_with_hosted_zone(HostedZoneId=id, VPC=_vpc(call, new[vpc]))
            for vpc in old.keys() - new.keys():
                route53.disassociate_vpc_from_hosted_zone(HostedZoneId=id, VPC=_vpc(call, old[vpc]))

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """In one call."""
        changes: dict[str, Any] = {"AddTags": tag_pairs(add)} if add else {}
        changes |= {"RemoveTagKeys": remove} if remove else {}
        call.client("route53").change_tags_for_resource(ResourceType="hostedzone", ResourceId=id, **changes)

    def delete(self, call: Call, id: str) -> None:
        """Delete; records other than the zone's own only go when forced."""
        route53 = call.client("route53")
        if call.state.get("forceDestroy"):
            apex = str(route53.get_hosted_zone(Id=id)["HostedZone"]["Name"])
            for record in list(list_records(route53, id)):
                if record["Name"] != apex or record["Type"] not in APEX_TYPES:
                    change_record(route53, id, "DELETE", record)
        super().delete(call, id)


def _vpc(call: Call, vpc: PropertyMap) -> dict[str, str]:
    return {"VPCId": vpc["vpcId"], "VPCRegion": vpc.get("vpcRegion") or call.session.settings.region}


def _tags(route53: Any, zone: str) -> dict[str, str]:
    found = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone)
    return tag_map(found["ResourceTagSet"]["Tags"])


def _zone_id(call: FunctionCall) -> str:
    args = call.args
    if args.get("zoneId"):
        return str(args["zoneId"])
    name, private = str(call.required("name")).rstrip(".").lower(), bool(args.get("privateZone"))
    pages = call.client("route53").get_paginator("list_hosted_zones").paginate()
    zones = [zone for page in pages for zone in page["HostedZones"]]
    return the_one(
        f"Route 53 Hosted Zone {name}",
        [
            zone_id(zone["Id"])
            for zone in zones
            if str(zone["Name"]).rstrip(".").lower() == name and bool(zone["Config"].get("PrivateZone")) is private
        ],
    )


get_zone = looked_up("aws:route53/getZone:getZone", Zone(), _zone_id)
