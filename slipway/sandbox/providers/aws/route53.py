"""Route 53 hosted zones and records. The sandbox keeps them; no name server answers for them."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

# ruff: noqa: A002, ARG002 - `id` and `token` are Pulumi's words; a type's tables are constants
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from slipway.engine.provider import ProviderError
from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.aws.resource import (
    MARKER_TAG,
    AutoName,
    Call,
    Resource,
    marker_value,
    present,
    tag_map,
    tag_pairs,
)
from slipway.sandbox.providers.aws.session import PARTITION

_APEX_TYPES = frozenset({"NS", "SOA"})
"""A zone's own records, which go with it."""
_TEXT_TYPES = frozenset({"SPF", "TXT"})
"""Route 53 wants their values in quotes, programs may leave them out."""
_ROUTING = ("failoverRoutingPolicies", "geolocationRoutingPolicies", "latencyRoutingPolicies")


class Zone(Resource):
    """aws.route53.Zone"""

    token = "aws:route53/zone:Zone"
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
        given: list[PropertyMap] = {**call.outputs, **call.inputs}.get("vpcs") or []
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
        if {**call.outputs, **call.inputs}.get("forceDestroy"):
            apex = str(route53.get_hosted_zone(Id=id)["HostedZone"]["Name"])
            for record in list(_records(route53, id)):
                if record["Name"] != apex or record["Type"] not in _APEX_TYPES:
                    _change(route53, id, "DELETE", record)
        route53.delete_hosted_zone(Id=id)


class Record(Resource):
    """aws.route53.Record: simple, alias and weighted ones."""

    token = "aws:route53/record:Record"
    force_new = frozenset({"name", "setIdentifier", "type", "zoneId"})
    conflicts = (("aliases", "records"), ("aliases", "ttl"))
    conflict_codes = frozenset({"InvalidChangeBatch"})
    write_only = frozenset({"allowOverwrite"})
    unsupported = frozenset(
        {
            *_ROUTING,
            "cidrRoutingPolicy",
            "geoproximityRoutingPolicy",
            "healthCheckId",
            "multivalueAnswerRoutingPolicy",
        }
    )

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """What belongs together."""
        if "records" in inputs and "ttl" not in inputs:
            yield "ttl", "ttl is required with records"
        if not any(name in inputs for name in ("aliases", "records", *_ROUTING)):
            yield "records", "one of records and aliases must be given"
        if "weightedRoutingPolicies" in inputs and "setIdentifier" not in inputs:
            yield "setIdentifier", "setIdentifier is required with weightedRoutingPolicies"

    def create(self, call: Call) -> str:
        """Create; a record that exists is only taken over with allowOverwrite."""
        route53, inputs = call.client("route53"), call.inputs
        wanted = _wanted(route53, inputs)
        existing = _existing(route53, inputs["zoneId"], wanted["Name"], inputs["type"], inputs.get("setIdentifier"))
        if existing is not None and not (inputs.get("allowOverwrite") or call.ctx.resuming):
            raise ProviderError(
                f"record {wanted['Name']} of type {inputs['type']} already exists; import it, or set allowOverwrite"
            )
        _change(route53, inputs["zoneId"], "UPSERT", wanted)
        parts = [inputs["zoneId"], wanted["Name"], inputs["type"], inputs.get("setIdentifier")]
        return "_".join(part for part in parts if part)

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The record."""
        route53, known = call.client("route53"), {**call.outputs, **call.inputs}
        zone, kind = str(known["zoneId"]), str(known["type"])
        name = _full_name(route53, zone, str(known["name"]))
        live = _existing(route53, zone, name, kind, known.get("setIdentifier"))
        if live is None:
            return None
        alias = live.get("AliasTarget")
        values = [str(each["Value"]) for each in live.get("ResourceRecords") or ()]
        if kind in _TEXT_TYPES:
            given: list[str] = known.get("records") or []
            values = [_text(value) for value in values]
            values = given if sorted(map(_text, given)) == sorted(values) else values
        return {
            "aliases": [
                {
                    "evaluateTargetHealth": bool(alias["EvaluateTargetHealth"]),
                    "name": str(alias["DNSName"]).rstrip("."),
                    "zoneId": alias["HostedZoneId"],
                }
            ]
            if alias
            else None,
            "fqdn": name,
            "name": known["name"],
            "records": values or None,
            "setIdentifier": live.get("SetIdentifier"),
            "ttl": live.get("TTL"),
            "type": kind,
            "weightedRoutingPolicies": [{"weight": live["Weight"]}] if live.get("Weight") is not None else None,
            "zoneId": zone,
        }

    def update(self, call: Call, id: str) -> None:
        """Put it anew, as a whole."""
        route53 = call.client("route53")
        _change(route53, call.inputs["zoneId"], "UPSERT", _wanted(route53, call.inputs))

    def delete(self, call: Call, id: str) -> None:
        """Delete what is there now: Route 53 wants to be told it to the letter."""
        route53, known = call.client("route53"), {**call.outputs, **call.inputs}
        name = _full_name(route53, known["zoneId"], known["name"])
        live = _existing(route53, known["zoneId"], name, known["type"], known.get("setIdentifier"))
        if live is not None:
            _change(route53, known["zoneId"], "DELETE", live)

    def import_outputs(self, call: Call, id: str) -> None:
        """A record is imported as `<zone>_<name>_<type>[_<set identifier>]`; names may hold underscores themselves."""
        zone, _, rest = id.partition("_")
        words = rest.split("_")
        at = next((i for i in range(len(words) - 1, 0, -1) if words[i].isupper()), 0)
        if not at:
            raise ProviderError(f"a record is imported as <zone>_<name>_<type>[_<set identifier>], got {id}")
        identifier = "_".join(words[at + 1 :]) or None
        call.inputs |= present(zoneId=zone, name="_".join(words[:at]), type=words[at], setIdentifier=identifier)


def zone_id(id: str) -> str:
    """The id alone, of what the API calls `/hostedzone/<id>`."""
    return id.rpartition("/")[2]


def _vpc(call: Call, vpc: PropertyMap) -> dict[str, str]:
    return {"VPCId": vpc["vpcId"], "VPCRegion": vpc.get("vpcRegion") or call.session.settings.region}


def _tags(route53: Any, zone: str) -> dict[str, str]:
    found = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone)
    return tag_map(found["ResourceTagSet"]["Tags"])


def _change(route53: Any, zone: str, action: str, record: dict[str, Any]) -> None:
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    )


def _records(route53: Any, zone: str) -> Iterator[dict[str, Any]]:
    for page in route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone):
        yield from page["ResourceRecordSets"]


def _existing(route53: Any, zone: str, name: str, kind: str, identifier: str | None) -> dict[str, Any] | None:
    """The record of this name; Route 53 answers `*` as `\\052`."""
    for record in _records(route53, zone):
        found = str(record["Name"]).replace("\\052", "*").rstrip(".").lower()
        if (found, record["Type"], record.get("SetIdentifier")) == (name, kind, identifier):
            return record
    return None


def _full_name(route53: Any, zone: str, name: str) -> str:
    """`name` under the zone's own: `www` and `www.shop.example` are the same record of the zone `shop.example`."""
    domain = str(route53.get_hosted_zone(Id=zone)["HostedZone"]["Name"]).rstrip(".").lower()
    name = name.rstrip(".").lower()
    return name if name == domain or name.endswith(f".{domain}") else f"{name}.{domain}" if name else domain


def _wanted(route53: Any, inputs: PropertyMap) -> dict[str, Any]:
    record: dict[str, Any] = {
        "Name": _full_name(route53, inputs["zoneId"], inputs["name"]),
        "Type": inputs["type"],
        **present(SetIdentifier=inputs.get("setIdentifier"), TTL=inputs.get("ttl")),
    }
    for alias in inputs.get("aliases") or []:
        record["AliasTarget"] = {
            "DNSName": alias["name"],
            "EvaluateTargetHealth": alias["evaluateTargetHealth"],
            "HostedZoneId": alias["zoneId"],
        }
    if values := inputs.get("records"):
        texts = inputs["type"] in _TEXT_TYPES
        record["ResourceRecords"] = [{"Value": _quoted(value) if texts else value} for value in values]
    for policy in inputs.get("weightedRoutingPolicies") or []:
        record["Weight"] = policy["weight"]
    return record


def _quoted(text: str) -> str:
    """As Route 53 wants a text record; one that is quoted already is left."""
    return text if text.startswith('"') and text.endswith('"') and len(text) > 1 else f'"{text}"'


def _text(value: str) -> str:
    return value[1:-1] if value.startswith('"') and value.endswith('"') and len(value) > 1 else value


RESOURCES = (Zone(), Record())
