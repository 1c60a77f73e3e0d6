"""What the Route 53 types share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

APEX_TYPES = frozenset({"NS", "SOA"})
"""A zone's own records, which go with it."""


def change_record(route53: Any, zone: str, action: str, record: dict[str, Any]) -> None:
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    )


def list_records(route53: Any, zone: str) -> Iterator[dict[str, Any]]:
    for page in route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone):
        yield from page["ResourceRecordSets"]


def zone_id(id: str) -> str:
    """The id alone, of what the API calls `/hostedzone/<id>`."""
    return id.rpartition("/")[2]
