"""IAM database authentication on a real PostgreSQL: who logs in with a token, and who does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.identities import ACCOUNT, Identities, allow
from tests.integration.sandbox_cloud.rds_kit import Instance, RdsDaemon, instance, needs_postgres, running

pytestmark = needs_postgres
REFUSED = "LDAP authentication failed for user"
Clients = Callable[..., Any]


@pytest.fixture(scope="module")
def rds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RdsDaemon]:
    with running(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def database(rds: RdsDaemon) -> Iterator[Instance]:
    with instance(rds, "tokens", EnableIAMDatabaseAuthentication=True) as made:
        with made.connect() as connection:
            connection.execute("CREATE ROLE app LOGIN PASSWORD 'known'")
            connection.execute("CREATE ROLE other LOGIN PASSWORD 'known'")
            connection.execute("CREATE ROLE plain LOGIN PASSWORD 'known'")
            connection.execute("GRANT rds_iam TO app, other")
        yield made


def token(client: Any, database: Instance, user: str = "app") -> str:
    endpoint = database.facts()["Endpoint"]
    return client.generate_db_auth_token(DBHostname=endpoint["Address"], Port=endpoint["Port"], DBUsername=user)


def login(database: Instance, password: str, user: str = "app", sslmode: str = "require") -> str:
    with database.connect(user=user, password=password, sslmode=sslmode) as connection:
        row = connection.execute("SELECT current_user::text").fetchone()
    assert row
    return row[0]


def of_role(rds: RdsDaemon, *statements: dict[str, Any]) -> Any:
    identities = Identities(rds)
    session = identities.sts.assume_role(RoleArn=identities.role(*statements), RoleSessionName="pod")
    return identities.of(session)("rds")


def resource(database: Instance, user: str) -> str:
    return f"arn:aws:rds-db:us-east-1:{ACCOUNT}:dbuser:{database.facts()['DbiResourceId']}/{user}"


def test_role_that_may_connect_logs_in_as_that_user_alone(rds: RdsDaemon, database: Instance) -> None:
    client = of_role(rds, allow("rds-db:connect", resource(database, "app")))
    assert login(database, token(client, database)) == "app"
    with pytest.raises(psycopg.OperationalError, match=REFUSED):
        login(database, token(client, database, "other"), "other")
    with pytest.raises(psycopg.OperationalError, match=REFUSED):
        login(database, token(client, database), "other")


def test_refuses_a_signer_without_the_right_and_a_tampered_token(rds: RdsDaemon, database: Instance) -> None:
    for statements in ([], [allow("rds:*")], [allow("rds-db:connect", resource(database, "app") + "x")]):
        with pytest.raises(psycopg.OperationalError, match=REFUSED):
            login(database, token(of_role(rds, *statements), database))
    good = token(rds.client("rds"), database)
    assert login(database, good) == "app"
    with pytest.raises(psycopg.OperationalError, match=REFUSED):
        login(database, good[:-1] + ("0" if good[-1] != "0" else "1"))


def test_refuses_a_token_without_tls_and_a_password_with_it(rds: RdsDaemon, database: Instance) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects connection"):
        login(database, token(rds.client("rds"), database), sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match=REFUSED):
        login(database, "known")
    assert login(database, "known", "plain") == "plain"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        login(database, token(rds.client("rds"), database, "plain"), "plain")


def test_refuses_a_token_where_the_instance_does_not_authenticate_by_iam(rds: RdsDaemon, database: Instance) -> None:
    def enable(wanted: bool) -> None:
        database.rds.modify_db_instance(
            DBInstanceIdentifier=database.identifier, EnableIAMDatabaseAuthentication=wanted, ApplyImmediately=True
        )

    enable(False)
    with pytest.raises(psycopg.OperationalError, match=REFUSED):
        login(database, token(rds.client("rds"), database))
    enable(True)
    assert login(database, token(rds.client("rds"), database)) == "app"
