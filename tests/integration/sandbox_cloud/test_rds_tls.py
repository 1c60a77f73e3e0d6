"""TLS of databases: clients verify a real PostgreSQL with the sandbox's authority, and `rds.force_ssl` refuses plain connections."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from slipway.sandbox.accounts import reachable
from slipway.sandbox.database_tls import DatabaseAuthority
from slipway.sandbox.paths import SandboxPaths
from tests.integration.sandbox_cloud.rds_kit import Instance, RdsDaemon, instance, needs_postgres, running

pytestmark = needs_postgres
AUTHORITY = "rds-ca-ecc384-g1"


@pytest.fixture(scope="module")
def rds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RdsDaemon]:
    with running(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def database(rds: RdsDaemon) -> Iterator[Instance]:
    rds.client("rds").create_db_parameter_group(
        DBParameterGroupName="tls", DBParameterGroupFamily="postgres15", Description="test"
    )
    with instance(rds, "tls", DBParameterGroupName="tls") as made:
        yield made


@pytest.fixture(scope="module")
def bundle(rds: RdsDaemon, database: Instance) -> Path:
    return DatabaseAuthority(SandboxPaths(rds.home)).certificate


def uses_tls(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    return row == (True,)


def set_parameter(database: Instance, name: str, value: str) -> None:
    change: dict[str, Any] = {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "immediate"}
    database.rds.modify_db_parameter_group(DBParameterGroupName="tls", Parameters=[change])


def test_client_verifies_the_server_by_its_address_and_the_authority(database: Instance, bundle: Path) -> None:
    with database.connect(sslmode="verify-full", sslrootcert=str(bundle)) as connection:
        assert uses_tls(connection)


def test_refuses_a_server_of_another_name_or_another_authority(
    database: Instance, bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        database.connect(host="localhost", hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=str(bundle))
    another = DatabaseAuthority(SandboxPaths(tmp_path))
    another.facts()
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        database.connect(sslmode="verify-full", sslrootcert=str(another.certificate))


def test_plain_connections_are_refused_as_soon_as_the_group_forces_tls(database: Instance, bundle: Path) -> None:
    with database.connect(sslmode="disable") as connection:
        assert not uses_tls(connection)
    set_parameter(database, "rds.force_ssl", "1")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry .* no encryption"):
        database.connect(sslmode="disable")
    with database.connect(sslmode="verify-full", sslrootcert=str(bundle)) as connection:
        assert uses_tls(connection)
    # The sandbox's own superuser gets in: it rotates the password, and copies the data.
    database.secrets.rotate_secret(SecretId=database.secret_arn)
    database.rds.create_db_snapshot(DBInstanceIdentifier=database.identifier, DBSnapshotIdentifier="forced")
    set_parameter(database, "rds.force_ssl", "0")
    database.connect(sslmode="disable").close()


def test_parameter_group_does_not_turn_tls_off_nor_name_another_key(database: Instance) -> None:
    set_parameter(database, "ssl", "0")
    set_parameter(database, "ssl_key_file", "/tmp/key")
    with database.connect(sslmode="require") as connection:
        assert connection.execute("SHOW ssl").fetchone() == ("on",)


@pytest.mark.parametrize("account", ["nobody", "etcd"])
def test_another_account_does_not_read_a_key(rds: RdsDaemon, database: Instance, account: str) -> None:
    folder = SandboxPaths(rds.home).sandbox
    server = reachable(folder / "postgres") / f"us-east-1-{database.identifier}" / "server.key"
    assert (server.stat().st_mode & 0o777, server.stat().st_uid, server.group()) == (0o640, 0, "postgres")
    authority = folder / "rds-ca" / f"{AUTHORITY}.key"
    assert (authority.stat().st_mode & 0o777, authority.stat().st_uid) == (0o600, 0)
    argv = ["setpriv", f"--reuid={account}", "--clear-groups", "--regid=nogroup", "cat", str(server)]
    assert subprocess.run(argv, check=False, capture_output=True).returncode != 0


def test_authority_is_described_as_aws_does(rds: RdsDaemon, database: Instance, bundle: Path) -> None:
    client = rds.client("rds")
    answer = client.describe_certificates()
    [described] = answer["Certificates"]
    der = ssl.PEM_cert_to_DER_cert(bundle.read_text())
    assert answer["DefaultCertificateForNewLaunches"] == described["CertificateIdentifier"] == AUTHORITY
    assert described["Thumbprint"] == hashlib.sha1(der).hexdigest()  # noqa: S324 - AWS's thumbprints are
    assert described["CertificateArn"] == f"arn:aws:rds:us-east-1::cert:{AUTHORITY}"
    assert (described["CertificateType"], described["CustomerOverride"]) == ("CA", False)
    assert described["ValidFrom"] < datetime.now(UTC) < described["ValidTill"]
    facts = database.facts()
    assert facts["CACertificateIdentifier"] == facts["CertificateDetails"]["CAIdentifier"] == AUTHORITY
    assert facts["CertificateDetails"]["ValidTill"] > datetime.now(UTC)


def test_refuses_an_authority_that_the_sandbox_does_not_have(rds: RdsDaemon, database: Instance) -> None:
    client = rds.client("rds")
    for ask in (
        lambda: client.describe_certificates(CertificateIdentifier="rds-ca-2019"),
        lambda: client.modify_db_instance(
            DBInstanceIdentifier=database.identifier, CACertificateIdentifier="rds-ca-2019", ApplyImmediately=True
        ),
    ):
        with pytest.raises(ClientError, match="rds-ca-2019 not found") as refused:
            ask()
        assert refused.value.response["Error"]["Code"] == "CertificateNotFound"
