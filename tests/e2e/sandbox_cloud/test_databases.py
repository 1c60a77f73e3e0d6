"""RDS: what the API says about a database is true of a PostgreSQL server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from botocore.exceptions import ClientError

from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable

Eventually = Callable[[Callable[[], bool], str], None]


class Database:
    """One instance through the API."""

    def __init__(self, aws: Callable[..., Any], eventually: Eventually, identifier: str) -> None:
        self._rds = aws("rds")
        self._secrets = aws("secretsmanager")
        self._eventually = eventually
        self.identifier = identifier

    def describe(self) -> dict[str, Any]:
        return self._rds.describe_db_instances(DBInstanceIdentifier=self.identifier)["DBInstances"][0]

    def wait_available(self) -> None:
        self._eventually(lambda: self.describe()["DBInstanceStatus"] == "available", f"{self.identifier} available")

    def secret(self) -> dict[str, str]:
        arn = self.describe()["MasterUserSecret"]["SecretArn"]
        return json.loads(self._secrets.get_secret_value(SecretId=arn)["SecretString"])

    def connect(self, password: str = "") -> psycopg.Connection:
        endpoint = self.describe()["Endpoint"]
        return psycopg.connect(
            host=endpoint["Address"],
            port=endpoint["Port"],
            user="orders",
            password=password or self.secret()["password"],
            dbname="orders",
            connect_timeout=5,
            autocommit=True,
        )


@pytest.fixture
def database(aws: Callable[..., Any], eventually: Eventually) -> Iterator[Database]:
    made = Database(aws, eventually, f"e2e-{uuid4().hex[:6]}")
    aws("rds").create_db_instance(
        DBInstanceIdentifier=made.identifier,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        DBName="orders",
        MasterUsername="orders",
        ManageMasterUserPassword=True,
    )
    made.wait_available()
    yield made
    aws("rds").delete_db_instance(DBInstanceIdentifier=made.identifier, SkipFinalSnapshot=True)


def test_master_user_owns_the_database_and_is_no_superuser(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE orders (id int)")
        connection.execute("CREATE EXTENSION pgcrypto")
        assert connection.execute("SHOW is_superuser").fetchone() == ("off",)


def test_old_password_is_refused_when_the_secret_was_rotated(database: Database, aws: Callable[..., Any]) -> None:
    old = database.secret()["password"]
    aws("rds").modify_db_instance(
        DBInstanceIdentifier=database.identifier, RotateMasterUserPassword=True, ApplyImmediately=True
    )
    assert database.secret()["password"] != old
    database.connect().close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        database.connect(old)


def test_snapshot_restores_the_rows_of_its_moment(
    database: Database, aws: Callable[..., Any], eventually: Eventually
) -> None:
    rds, snapshot = aws("rds"), f"{database.identifier}-before"
    with database.connect() as connection:
        connection.execute("CREATE TABLE orders (id int)")
        connection.execute("INSERT INTO orders VALUES (1)")
        rds.create_db_snapshot(DBInstanceIdentifier=database.identifier, DBSnapshotIdentifier=snapshot)
        connection.execute("INSERT INTO orders VALUES (2)")
    copy = Database(aws, eventually, f"{database.identifier}-copy")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=copy.identifier, DBSnapshotIdentifier=snapshot)
    copy.wait_available()
    with copy.connect() as connection:
        assert connection.execute("SELECT id FROM orders").fetchall() == [(1,)]
    rds.delete_db_instance(DBInstanceIdentifier=copy.identifier, SkipFinalSnapshot=True)
    rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot)


def test_parameter_group_takes_effect_and_unknown_parameters_do_no_harm(
    database: Database, aws: Callable[..., Any]
) -> None:
    rds, group = aws("rds"), f"{database.identifier}-parameters"
    rds.create_db_parameter_group(DBParameterGroupName=group, DBParameterGroupFamily="postgres15", Description="test")
    wanted = {"log_min_duration_statement": "250", "rds.force_ssl": "1"}
    parameters = [
        {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "immediate"} for key, value in wanted.items()
    ]
    rds.modify_db_parameter_group(DBParameterGroupName=group, Parameters=parameters)
    rds.modify_db_instance(DBInstanceIdentifier=database.identifier, DBParameterGroupName=group, ApplyImmediately=True)
    with database.connect() as connection:
        assert connection.execute("SHOW log_min_duration_statement").fetchone() == ("250ms",)


def test_killed_server_comes_back_with_its_rows(
    database: Database, paths: SandboxPaths, eventually: Eventually
) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE orders (id int)")
        connection.execute("INSERT INTO orders VALUES (7)")
    record = ProcessTable(paths).find(f"postgres-us-east-1-{database.identifier}")
    assert record is not None
    process = record.process()
    assert process is not None
    process.kill()

    def answers() -> bool:
        try:
            with database.connect() as connection:
                return connection.execute("SELECT id FROM orders").fetchall() == [(7,)]
        except psycopg.OperationalError:
            return False

    eventually(answers, "the database answers again")


@pytest.mark.parametrize(
    ("engine", "user", "refusal"),
    [
        ("mysql", "a", "runs engine postgres only, not mysql"),
        ("postgres", "rdsadmin", "reserved word"),
        ("postgres", "pg_monitor", "reserved word"),
    ],
)
def test_refuses_an_engine_that_has_no_server_and_a_user_that_is_the_servers(
    aws: Callable[..., Any], engine: str, user: str, refusal: str
) -> None:
    with pytest.raises(ClientError, match=refusal):
        aws("rds").create_db_instance(
            DBInstanceIdentifier="e2e-refused",
            Engine=engine,
            DBInstanceClass="db.t3.micro",
            MasterUsername=user,
            MasterUserPassword="b" * 8,
        )
