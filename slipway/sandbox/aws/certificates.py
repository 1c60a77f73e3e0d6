"""ACM: a certificate is issued when its validation records are in a public hosted zone, as at AWS; moto issues it after a minute."""

# moto is not typed strictly.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.acm.models import CertBundle
from moto.route53.models import route53_backends

PENDING = "PENDING_VALIDATION"
ISSUED = "ISSUED"

_original_check = CertBundle.check


def check_certificate(self: CertBundle) -> None:
    """In moto's place: expiry as moto has it, validation by what DNS says."""
    pending = self.status == PENDING
    _original_check(self)
    if pending and self.status in {PENDING, ISSUED}:
        self.status = ISSUED if _wanted_records(self) <= set(_published_records(self)) else PENDING


def _wanted_records(bundle: CertBundle) -> set[tuple[str, str]]:
    options: list[dict[str, Any]] = bundle.describe()["Certificate"].get("DomainValidationOptions") or []
    return {(_plain(each["ResourceRecord"]["Name"]), _plain(each["ResourceRecord"]["Value"])) for each in options}


def _published_records(bundle: CertBundle) -> Iterator[tuple[str, str]]:
    """Name and value of every CNAME in the account's public zones. Certificates know their account by their ARN alone."""
    _, partition, _, _, account = str(bundle.arn).split(":")[:5]
    for zone in route53_backends[account][partition].zones.values():
        if not zone.private_zone:
            for record in zone.rrsets:
                if record.type == "CNAME":
                    yield from ((_plain(record.name), _plain(value)) for value in record.records or ())


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
