"""How a VPC's address range is divided among its zones. Pure: no Pulumi, no AWS."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from .errors import ArgsError


@dataclass(frozen=True)
class ZoneSubnets:
    """The two blocks of one zone."""

    public: IPv4Network
    private: IPv4Network


def plan_subnets(cidr: str, zones: Sequence[str]) -> dict[str, ZoneSubnets]:
    """Blocks by zone name: the range is cut into 8 equal parts, one per zone; a zone's upper half is private, its lower quarter public.

    Eight parts, whatever the number of zones, so that adding a zone later moves no subnet. Raises ArgsError when the range is not an
    IPv4 network of /16 to /22, or when zones are fewer than 2, more than 8, or repeated.
    """
    try:
        network = IPv4Network(cidr)
    except ValueError as error:
        raise ArgsError("cidr", got=cidr, want="an IPv4 network such as 10.20.0.0/16") from error
    if not 16 <= network.prefixlen <= 22:
        raise ArgsError(
            "cidr", got=cidr, want="a network of /16 to /22 (VPC limit: /16; a zone's public part needs 16 addresses)"
        )
    if not 2 <= len(zones) <= 8 or len(set(zones)) != len(zones):
        raise ArgsError("zones", got=list(zones), want="2 to 8 different availability zones")
    blocks = network.subnets(prefixlen_diff=3)
    return {zone: _split(block) for zone, block in zip(zones, blocks, strict=False)}


def _split(block: IPv4Network) -> ZoneSubnets:
    lower, upper = block.subnets(prefixlen_diff=1)
    return ZoneSubnets(public=next(lower.subnets(prefixlen_diff=1)), private=upper)
