"""TLS of databases, and who connects how: an authority of the sandbox's own, a certificate for each server, and pg_hba.conf."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from slipway.sandbox.accounts import let_read
from slipway.sandbox.certificates import (
    Authority,
    issue,
    load_authority,
    make_authority,
    write_authority,
    write_identity,
)
from slipway.sandbox.paths import DATABASE_AUTHORITY as AUTHORITY
from slipway.sandbox.paths import SandboxPaths, private_folder
from slipway.sandbox.ports import HOST_ADDRESS, LOOPBACK

LOGIN_PREFIX, LOGIN_SUFFIX = "uid=", ",dc="
"""How PostgreSQL names user and server when it asks whether a token is good: `uid=<user>,dc=<server>`."""
IAM_ROLE = "rds_iam"
"""Its members log in with tokens, and with no password."""
FORCE_TLS = "rds.force_ssl"
"""Parameter of a parameter group."""
_SUPERUSER_ACCESS = """\
# TYPE DATABASE USER ADDRESS METHOD
local all         rdsadmin           peer map=slipway
local replication rdsadmin           peer map=slipway
host  all         rdsadmin 0.0.0.0/0 reject
"""


@dataclass(frozen=True, kw_only=True)
class AuthorityFacts:
    """As DescribeCertificates shows an authority."""

    thumbprint: str
    """SHA-1, in hexadecimal digits."""
    valid_from: datetime
    valid_till: datetime


class DatabaseAuthority:
    """The authority of all databases of one sandbox. Clients verify servers with its certificate."""

    def __init__(self, paths: SandboxPaths) -> None:
        self.certificate = paths.database_ca_bundle
        """The bundle for clients, in PEM."""
        self._folder = self.certificate.parent
        self._lock = threading.Lock()

    def facts(self) -> AuthorityFacts:
        """Of its certificate; made where there is none yet."""
        certificate = self._ensure().certificate
        return AuthorityFacts(
            thumbprint=certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 - AWS's thumbprints are
            valid_from=certificate.not_valid_before_utc,
            valid_till=certificate.not_valid_after_utc,
        )

    def ensure_server(self, folder: Path, account: str) -> None:
        """`server.crt` and `server.key` in a server's folder, for the addresses it listens on; the account reads them."""
        if not (folder / "server.key").exists():
            # As RDS does, the name is the common name as well: older clients look for an address only there.
            identity = issue(self._ensure(), HOST_ADDRESS, addresses=[HOST_ADDRESS, LOOPBACK])
            write_identity(folder, "server", identity)
        for name in ("server.crt", "server.key"):
            let_read(folder / name, account)

    def _ensure(self) -> Authority:
        with self._lock:
            if not (self._folder / f"{AUTHORITY}.key").exists():
                made = make_authority("Slipway sandbox RDS Root CA ECC384 G1", ec.SECP384R1())
                write_authority(private_folder(self._folder), AUTHORITY, made)
            return load_authority(self._folder, AUTHORITY)


def server_valid_till(folder: Path) -> datetime | None:
    """When the certificate in a server's folder ends; None where there is none."""
    path = folder / "server.crt"
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc if path.exists() else None


def host_based_access(name: str, parameters: Mapping[str, str], login_port: int) -> str:
    """pg_hba.conf of the server of this name.

    With `rds.force_ssl` nobody connects without TLS, as on RDS, but the sandbox's superuser over the servers' socket. Members of `rds_iam`
    never do: they show a token, about which PostgreSQL asks at `login_port`.
    """
    kind = "hostssl" if parameters.get(FORCE_TLS) == "1" else "host"
    asked = f'ldapserver={LOOPBACK} ldapport={login_port} ldapprefix="{LOGIN_PREFIX}" ldapsuffix="{LOGIN_SUFFIX}{name}"'
    return (
        f"{_SUPERUSER_ACCESS}"
        f"hostssl all +{IAM_ROLE} 0.0.0.0/0 ldap {asked}\n"
        f"host all +{IAM_ROLE} 0.0.0.0/0 reject\n"
        f"{kind} all all 0.0.0.0/0 scram-sha-256\n"
    )


def ident_map() -> str:
    """pg_ident.conf: which account is the sandbox's superuser, the one that runs the sandbox. The servers' own account is not."""
    return f"slipway {pwd.getpwuid(os.getuid()).pw_name} rdsadmin\n"


def tls_settings(folder: str) -> dict[str, str]:
    """Of postgresql.conf."""
    return {"ssl": "on", "ssl_cert_file": f"{folder}/server.crt", "ssl_key_file": f"{folder}/server.key"}
