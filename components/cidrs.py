"""Address ranges of an argument, checked. Pure: no Pulumi, no AWS."""

from collections.abc import Sequence
from ipaddress import IPv4Network

from .errors import ArgsError


def check_cidrs(field: str, cidrs: Sequence[str]) -> None:
    """Raises ArgsError unless all are IPv4 networks."""
    for cidr in cidrs:
        try:
            IPv4Network(cidr)
        except ValueError as error:
            raise ArgsError(field, got=cidr, want="IPv4 networks such as 203.0.113.0/24") from error
