"""Regions and partitions."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import Function, FunctionCall
from slipway.sandbox.providers.framework.session import PARTITION

_DNS_SUFFIX = "amazonaws.com"


def _get_region(call: FunctionCall) -> PropertyMap:
    name = str(call.args.get("name") or call.region)
    found = call.client("ec2").describe_regions(RegionNames=[name], AllRegions=True)["Regions"]
    if not found:
        raise ProviderError(f"no region {name}")
    return {
        "description": name,
        "endpoint": str(found[0].get("Endpoint") or f"ec2.{name}.{_DNS_SUFFIX}"),
        "id": name,
        "name": name,
        "region": name,
    }


def _get_partition(call: FunctionCall) -> PropertyMap:  # noqa: ARG001 - there is one partition
    return {
        "dnsSuffix": _DNS_SUFFIX,
        "id": PARTITION,
        "partition": PARTITION,
        "reverseDnsPrefix": ".".join(reversed(_DNS_SUFFIX.split("."))),
    }


FUNCTIONS: Mapping[str, Function] = {
    "aws:index/getPartition:getPartition": _get_partition,
    "aws:index/getRegion:getRegion": _get_region,
}
