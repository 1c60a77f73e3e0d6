"""Availability zones."""

from __future__ import annotations

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function


@function("aws:index/getAvailabilityZones:getAvailabilityZones")
def get_availability_zones(call: FunctionCall) -> PropertyMap:
    args = call.args
    state = args.get("state")
    wanted = [{"Name": f["name"], "Values": list(f["values"])} for f in args.get("filters") or []]
    if state:
        wanted.append({"Name": "state", "Values": [state]})
    answer = call.client("ec2").describe_availability_zones(
        Filters=wanted, AllAvailabilityZones=bool(args.get("allAvailabilityZones"))
    )
    excluded = {*(args.get("excludeNames") or ()), *(args.get("excludeZoneIds") or ())}
    zones = [
        zone
        for zone in sorted(answer["AvailabilityZones"], key=lambda zone: str(zone["ZoneName"]))
        if zone["ZoneName"] not in excluded and zone.get("ZoneId") not in excluded
    ]
    return {
        **args,
        "groupNames": sorted({zone.get("GroupName") or call.region for zone in zones}),
        "id": call.region,
        "names": [zone["ZoneName"] for zone in zones],
        "region": call.region,
        "zoneIds": [zone.get("ZoneId", "") for zone in zones],
    }
