"""Public hosted zones of all accounts: to whom a name belongs. In DNS a registrar and the zone above say it; there is neither here.

A name belongs to the account of the zone for it, or above it, that was made first, unless that zone delegates it by an NS record.
"""

# moto is not typed strictly.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from moto.route53.exceptions import DnsNameInvalidForZone
from moto.route53.models import FakeZone, RecordSet, Route53Backend, route53_backends

from slipway.sandbox.aws_accounts import OWN_ACCOUNT
from slipway.sandbox.names import covers, plain

ORDER = "slipway_order"
"""Attribute of a zone: its number in the order of creation; earlier versions of the sandbox wrote none."""

_create = Route53Backend.create_hosted_zone
_change = Route53Backend.change_resource_record_sets


@dataclass(frozen=True, kw_only=True)
class PublicZone:
    """One zone, with names as DNS compares them."""

    name: str
    account: str
    order: int
    delegated: frozenset[str] = frozenset()
    """Names below the zone's that have an NS record in it."""
    records: Sequence[RecordSet] = ()

    def published(self, zones: Iterable[PublicZone]) -> Iterator[RecordSet]:
        """The zone's records, as far as their names belong to its account."""
        zones = list(zones)
        for record in self.records:
            name = plain(record.name)
            if covers(self.name, name) and owner_of(name, zones) == self.account:
                yield record


def owner_of(name: str, zones: Iterable[PublicZone]) -> str:
    """The account to which a name belongs; empty for nobody's."""
    covering = sorted(
        (zone for zone in zones if covers(zone.name, name)),
        key=lambda zone: (zone.order, zone.account != OWN_ACCOUNT, zone.account),
    )
    while covering:
        first, *others = covering
        delegated = max((each for each in first.delegated if covers(each, name)), key=len, default="")
        if not delegated:
            return first.account
        covering = [zone for zone in others if covers(delegated, zone.name)]
    return ""


def public_zones() -> list[PublicZone]:
    """Of all accounts. The caller holds the API's lock."""
    return [
        PublicZone(
            name=plain(zone.name),
            account=str(account),
            order=_order(zone),
            delegated=frozenset(_delegated(zone)),
            records=tuple(zone.rrsets),
        )
        for account, zone in _zones()
        if not zone.private_zone
    ]


def install_zones() -> None:
    """From here on, zones are counted, and take no record whose name only ends as theirs."""
    Route53Backend.create_hosted_zone = _create_counted
    Route53Backend.change_resource_record_sets = _change_own


def _create_counted(self: Route53Backend, *arguments: Any, **named: Any) -> FakeZone:
    last = max((_order(zone) for _, zone in _zones()), default=0)
    made = _create(self, *arguments, **named)
    setattr(made, ORDER, last + 1)
    return made


def _change_own(self: Route53Backend, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    """moto compares the ends of names, whatever is before them."""
    zone = self.get_hosted_zone(zoneid)
    for change in change_list:
        name = str(change["ResourceRecordSet"]["Name"])
        if not covers(plain(zone.name), plain(name)):
            raise DnsNameInvalidForZone(name=name, zone_name=zone.name)
    _change(self, zoneid, change_list)


def _zones() -> Iterator[tuple[str, FakeZone]]:
    backends: list[tuple[str, str, Any]] = list(route53_backends.iter_backends())
    for account, _, backend in backends:
        yield from ((account, zone) for zone in list(backend.zones.values()))


def _order(zone: FakeZone) -> int:
    return int(getattr(zone, ORDER, 0))


def _delegated(zone: FakeZone) -> Iterator[str]:
    names = (plain(record.name) for record in zone.rrsets if record.type == "NS")
    yield from (name for name in names if name.endswith(f".{plain(zone.name)}"))
