"""RDS's certificate authorities: DescribeCertificates, which moto lacks, and which one an instance may name."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import RDSClientError
from moto.rds.responses import RDSResponse

from slipway.sandbox.aws.world import world
from slipway.sandbox.paths import DATABASE_AUTHORITY as AUTHORITY


class CertificateNotFoundError(RDSClientError):
    """The sandbox has no such authority."""

    def __init__(self, identifier: str) -> None:
        super().__init__(
            "CertificateNotFound", f"Certificate {identifier} not found. The sandbox has {AUTHORITY} only."
        )


def install_authorities() -> None:
    """From here on, moto's RDS answers DescribeCertificates."""
    setattr(RDSResponse, "describe_certificates", _describe_certificates)  # noqa: B010 - moto has no such method


def check_authority(wanted: dict[str, Any]) -> None:
    """Raise CertificateNotFoundError where a request names an authority that the sandbox does not have."""
    identifier = wanted.get("ca_certificate_identifier")
    if identifier not in {None, AUTHORITY}:
        raise CertificateNotFoundError(str(identifier))


def _describe_certificates(self: RDSResponse) -> ActionResult:
    postgres = world().postgres
    if postgres is None:
        raise NotImplementedError("there are no databases behind this API")
    check_authority({"ca_certificate_identifier": self.params.get("CertificateIdentifier")})
    facts = postgres.authority.facts()
    certificate = {
        "CertificateIdentifier": AUTHORITY,
        "CertificateType": "CA",
        "Thumbprint": facts.thumbprint,
        "ValidFrom": facts.valid_from,
        "ValidTill": facts.valid_till,
        "CertificateArn": f"arn:aws:rds:{self.region}::cert:{AUTHORITY}",
        "CustomerOverride": False,
    }
    return ActionResult({"DefaultCertificateForNewLaunches": AUTHORITY, "Certificates": [certificate]})
