"""ACM: a certificate is issued when its validation records are in a public hosted zone, as at AWS; moto issues it after a minute.

It is signed by the sandbox's authority, so that clients can verify it; moto has each sign itself.
"""

# moto is not typed strictly.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.acm.models import CertBundle

from slipway.sandbox.aws.zones import public_zones
from slipway.sandbox.domain_tls import DomainAuthority
from slipway.sandbox.names import plain

PENDING = "PENDING_VALIDATION"
ISSUED = "ISSUED"

_original_check = CertBundle.check
_original_generate = CertBundle.generate_cert


def sign_certificates(authority: DomainAuthority) -> None:
    """From here on, this authority signs what is requested. What was requested before stays as it is."""

    def generate(  # noqa: PLR0917 - moto's own signature
        cls: type[CertBundle],
        domain_name: str,
        account_id: str,
        region: str,
        sans: list[str] | None = None,
        cert_authority_arn: str | None = None,
    ) -> CertBundle:
        if cert_authority_arn is not None:  # of a private authority, which moto simulates
            return _original_generate(domain_name, account_id, region, sans, cert_authority_arn)
        identity = authority.issue([*dict.fromkeys([domain_name, *(sans or ())])])
        bundle: Any = cls(  # moto's classes make what their base class says they make
            account_id=account_id,
            certificate=identity.certificate,
            private_key=identity.key,
            region=region,
            cert_type="AMAZON_ISSUED",
            cert_status=PENDING,
        )
        bundle.chain = authority.certificate
        return bundle

    setattr(CertBundle, "generate_cert", classmethod(generate))  # noqa: B010 - the type checker takes it for a plain method


def check_certificate(self: CertBundle) -> None:
    """In moto's place: expiry as moto has it, validation by what DNS says."""
    pending = self.status == PENDING
    _original_check(self)
    if pending and self.status in {PENDING, ISSUED}:
        self.status = ISSUED if _wanted_records(self) <= set(_published_records(self)) else PENDING


def _wanted_records(bundle: CertBundle) -> set[tuple[str, str]]:
    options: list[dict[str, Any]] = bundle.describe()["Certificate"].get("DomainValidationOptions") or []
    return {(plain(each["ResourceRecord"]["Name"]), plain(each["ResourceRecord"]["Value"])) for each in options}


def _published_records(bundle: CertBundle) -> Iterator[tuple[str, str]]:
    """Name and value of every CNAME that the account's public zones have a say in. Certificates know their account by their ARN alone."""
    account, zones = str(bundle.arn).split(":")[4], public_zones()
    for zone in zones:
        for record in zone.published(zones) if zone.account == account else ():
            if record.type == "CNAME":
                yield from ((plain(record.name), plain(value)) for value in record.records or ())
