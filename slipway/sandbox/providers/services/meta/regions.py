"""Regions and partitions."""

from __future__ import annotations

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function
from slipway.sandbox.providers.framework.session import PARTITION

_DNS_SUFFIX = "amazonaws.com"


@function("aws:index/getRegion:getRegion")
def get_region(call: FunctionCall) -> PropertyMap:
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


@function("aws:index/getPartition:getPartition")
def get_partition(call: FunctionCall) -> PropertyMap:  # noqa: ARG001 - there is one partition
    return {
        "dnsSuffix": _DNS_SUFFIX,
        "id": PARTITION,
        "partition": PARTITION,
        "reverseDnsPrefix": ".".join(reversed(_DNS_SUFFIX.split("."))),
    }
