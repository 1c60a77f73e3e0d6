"""Certificates: an authority, and what it signs, as files that only their owner reads."""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 3650
DOMAIN_VALID_DAYS = 395
"""Of certificates for domains, as ACM's are. Source: ACM user guide, "certificate characteristics"."""
CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that can still sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Identity:
    """A certificate with its key, in PEM."""

    certificate: bytes
    key: bytes


def make_authority(common_name: str, curve: ec.EllipticCurve | None = None) -> Authority:
    """A new self-signed authority; on P-256 unless another curve is named."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(
    authority: Authority,
    common_name: str,
    *,
    organization: str = "",
    names: Sequence[str] = (),
    addresses: Sequence[str] = (),
) -> Identity:
    """A certificate for a client and, when it has names or addresses, for a server too.

    Kubernetes reads the common name as the user and the organization as the group.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    builder = (
        _builder(x509.Name(attributes), authority.certificate.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.certificate.public_key()),  # pyright: ignore[reportArgumentType]
            critical=False,
        )
    )
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if names or addresses:
        alternatives = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    certificate = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False).sign(
        authority.key, hashes.SHA256()
    )
    return Identity(certificate.public_bytes(serialization.Encoding.PEM), private_pem(key))


def issue_domains(authority: Authority, domains: Sequence[str]) -> Identity:
    """A certificate for web servers, as ACM makes them: RSA, with the first domain as its common name. `*.` stands for one label."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domains[0])])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])
    builder = _builder(subject, authority.certificate.subject, key.public_key(), valid_days=DOMAIN_VALID_DAYS)
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.certificate.public_key()),  # pyright: ignore[reportArgumentType]
            critical=False,
        )
        .add_extension(alternatives, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Identity(certificate.public_bytes(serialization.Encoding.PEM), private_pem(key))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    *,
    valid_days: int = VALID_DAYS,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=valid_days))
    )


def private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """A key in PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_authority(folder: Path, name: str) -> Authority:
    """An authority written before."""
    key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{folder / name}.key is not an elliptic-curve key")
    return Authority(x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes()), key)


def write_authority(folder: Path, name: str, authority: Authority) -> None:
    """`<name>.crt` and `<name>.key`, which `load_authority` reads."""
    write_private(folder / f"{name}.crt", authority.pem)
    write_private(folder / f"{name}.key", private_pem(authority.key))


def write_identity(folder: Path, name: str, identity: Identity) -> None:
    """`<name>.crt` and `<name>.key`."""
    write_private(folder / f"{name}.crt", identity.certificate)
    write_private(folder / f"{name}.key", identity.key)


def write_private(path: Path, content: bytes) -> None:
    """A file that only its owner reads, from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)
