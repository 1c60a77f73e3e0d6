"""Records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import AlreadyExistsError
from slipway.sandbox.providers.framework.resource import Call, Resource, present
from slipway.sandbox.providers.services.route53.base import change_record, list_records

_TEXT_TYPES = frozenset({"SPF", "TXT"})
"""Route 53 wants their values in quotes, programs may leave them out."""
_ROUTING = ("failoverRoutingPolicies", "geolocationRoutingPolicies", "latencyRoutingPolicies")


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
        if existing is not None and not (inputs.get("allowOverwrite") or call.resuming):
            raise AlreadyExistsError(
                f"record {wanted['Name']} of type {inputs['type']} already exists; import it, or set allowOverwrite"
            )
        change_record(route53, inputs["zoneId"], "UPSERT", wanted)
        parts = [inputs["zoneId"], wanted["Name"], inputs["type"], inputs.get("setIdentifier")]
        return "_".join(part for part in parts if part)

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The record."""
        route53, known = call.client("route53"), call.state
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
        change_record(route53, call.inputs["zoneId"], "UPSERT", _wanted(route53, call.inputs))

    def delete(self, call: Call, id: str) -> None:
        """Delete what is there now: Route 53 wants to be told it to the letter."""
        route53, known = call.client("route53"), call.state
        name = _full_name(route53, known["zoneId"], known["name"])
        live = _existing(route53, known["zoneId"], name, known["type"], known.get("setIdentifier"))
        if live is not None:
            change_record(route53, known["zoneId"], "DELETE", live)

    def import_outputs(self, call: Call, id: str) -> None:
        """A record is imported as `<zone>_<name>_<type>[_<set identifier>]`; names may hold underscores themselves."""
        zone, _, rest = id.partition("_")
        words = rest.split("_")
        at = next((i for i in range(len(words) - 1, 0, -1) if words[i].isupper()), 0)
        if not at:
            raise ProviderError(f"a record is imported as <zone>_<name>_<type>[_<set identifier>], got {id}")
        identifier = "_".join(words[at + 1 :]) or None
        call.inputs |= present(zoneId=zone, name="_".join(words[:at]), type=words[at], setIdentifier=identifier)


def _existing(route53: Any, zone: str, name: str, kind: str, identifier: str | None) -> dict[str, Any] | None:
    """The record of this name; Route 53 answers `*` as `\\052`."""
    for record in list_records(route53, zone):
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
