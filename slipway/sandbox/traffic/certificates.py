"""Certificates of HTTPS listeners, from moto's ACM and IAM."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# moto's certificate models are only partly typed.

from __future__ import annotations

from moto.acm.models import CertBundle, acm_backends
from moto.iam.models import iam_backends


def load_certificate(arn: str, listener: str) -> str:
    """Certificate, key and chain as one PEM text, as HAProxy wants them; empty when there is none for this listener (or load balancer).

    It is of the listener's account, and ACM's are of its region.
    """
    parts = arn.split(":")
    if len(parts) < 6:
        return ""
    partition, service, region, account = parts[1:5]
    home = listener.split(":")[3:5]
    if account != home[1] or (service == "acm" and region != home[0]):
        return ""
    if service == "iam":
        found = iam_backends[account][partition].get_certificate_by_arn(arn)
        return _join(found.cert_body, found.private_key, found.cert_chain or "") if found else ""
    if service != "acm" or region not in acm_backends[account]:
        return ""
    bundle = _acm_certificate(region, account, arn)
    return _join(bundle.cert.decode(), bundle.key.decode(), bundle.chain.decode()) if bundle else ""


def is_issued(arn: str) -> bool:
    """Whether a listener may have it: a certificate that ACM has not issued (yet) is refused."""
    _, _, service, region, account = arn.split(":")[:5]
    bundle = _acm_certificate(region, account, arn) if service == "acm" else None
    if bundle is None:
        return True
    bundle.check()
    return bundle.status == "ISSUED"


def _acm_certificate(region: str, account: str, arn: str) -> CertBundle | None:
    return acm_backends[account][region]._certificates.get(arn)  # pyright: ignore[reportPrivateUsage]


def _join(*pieces: str) -> str:
    return "".join(f"{piece.strip()}\n" for piece in pieces if piece.strip())
