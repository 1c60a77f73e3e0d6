"""A service's database users on a real PostgreSQL: what each may do, with tokens alone, and what becomes of those who are logged in."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError
from migrations.roles import RolesSettings, log_in, make_roles, read_master
from sqlalchemy.exc import OperationalError

from orders.model import NewOrder
from orders.settings import Settings
from orders.store import OrderStore
from orders.tokens import DatabaseTokens
from slipway.sandbox.database_tls import DatabaseAuthority
from slipway.sandbox.paths import SandboxPaths
from tests.identities import ACCOUNT, Identities, allow
from tests.integration.sandbox_cloud.rds_kit import Instance, RdsDaemon, instance, needs_postgres, running

pytestmark = needs_postgres
TABLES = """
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text NOT NULL, quantity int NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE tickets (id serial PRIMARY KEY);
    CREATE SEQUENCE numbers;
    CREATE TABLE alembic_version (version_num text);
    INSERT INTO alembic_version VALUES ('0001')
"""
ORDER = "INSERT INTO orders (item, quantity) VALUES ('tea', 1)"
TICKET = "INSERT INTO tickets DEFAULT VALUES"


@pytest.fixture(scope="module")
def rds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RdsDaemon]:
    with running(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def database(rds: RdsDaemon) -> Iterator[Instance]:
    """As an environment of before has it: all is the master's."""
    with instance(rds, f"roles-{uuid.uuid4().hex[:6]}", EnableIAMDatabaseAuthentication=True) as made:
        with made.connect() as connection:
            connection.execute(TABLES)
        yield made


class Users:
    """Logins of the two users, each with a role that may connect as that user alone."""

    def __init__(self, rds: RdsDaemon, database: Instance) -> None:
        self._rds = rds
        self._database = database
        self._endpoint = database.facts()["Endpoint"]

    def tokens(self, user: str) -> DatabaseTokens:
        resource = f"arn:aws:rds-db:us-east-1:{ACCOUNT}:dbuser:{self._database.facts()['DbiResourceId']}/{user}"
        identities = Identities(self._rds)
        role = identities.role(allow("rds-db:connect", resource))
        keys = identities.sts.assume_role(RoleArn=role, RoleSessionName="pod")["Credentials"]
        found = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        return DatabaseTokens(
            host=self._endpoint["Address"],
            port=self._endpoint["Port"],
            user=user,
            region="us-east-1",
            credentials=lambda: found,
        )

    def login(self, user: str) -> psycopg.Connection[Any]:
        return self._database.connect(user=user, password=self.tokens(user)(), sslmode="require")

    def store(self, user: str, make_token: Any = None) -> OrderStore:
        settings = Settings(
            database_host="127.0.0.1",
            database_port=self._endpoint["Port"],
            database_name="orders",
            database_user=user,
            database_region="us-east-1",
            database_ca_file=DatabaseAuthority(SandboxPaths(self._rds.home)).certificate,
        )
        return OrderStore(settings.database_url, 3, make_token=make_token or self.tokens(user), patience_seconds=20)


@pytest.fixture(scope="module")
def users(rds: RdsDaemon, database: Instance) -> Users:
    with database.connect() as master:
        make_roles(master, "orders_app", "orders_owner")
    return Users(rds, database)


def refused(connection: psycopg.Connection[Any], *statements: str) -> None:
    for statement in statements:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def another(database: Instance, name: str) -> None:
    """A database of this name: starting another server takes longer than everything else here."""
    with database.connect() as master:
        master.execute(f"CREATE DATABASE {name}".encode())


def test_who_is_logged_in_as_the_master_goes_on_and_the_master_keeps_its_password(database: Instance) -> None:
    another(database, "old")
    with database.connect(dbname="old") as pod, database.connect(dbname="old") as job:
        pod.execute(TABLES)
        pod.execute(ORDER, prepare=True)
        make_roles(job, "old_app", "old_owner")
        for statement in (ORDER, TICKET, "UPDATE orders SET quantity = 2", "SELECT nextval('numbers')"):
            pod.execute(statement, prepare=True)
    with database.connect(dbname="old") as later:
        later.execute(ORDER)
        make_roles(later, "old_app", "old_owner")  # again, with the next release
        assert later.execute("SELECT pg_has_role(current_user, 'rds_iam', 'MEMBER')").fetchone() == (False,)
        owners = "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'public'"
        assert later.execute(owners.encode()).fetchall() == [("old_owner",)]


def test_table_in_use_is_not_waited_for_and_nothing_is_half_done(database: Instance) -> None:
    another(database, "busy")
    with database.connect(dbname="busy") as reader, database.connect(dbname="busy") as job:
        reader.execute(TABLES)
        with reader.transaction():
            reader.execute("SELECT * FROM orders")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                make_roles(job, "busy_app", "busy_owner")
        assert job.execute("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'busy%'").fetchone() == (0,)
        make_roles(job, "busy_app", "busy_owner")


def test_app_has_rights_to_data_and_the_owner_to_tables(users: Users, database: Instance) -> None:
    with users.login("orders_owner") as owner:
        owner.execute("ALTER TABLE orders ADD COLUMN currency text")
        owner.execute("CREATE TABLE invoices (id serial PRIMARY KEY)")
        refused(owner, "CREATE ROLE third", "GRANT orders_owner TO orders_app", "CREATE DATABASE other")
    with users.login("orders_app") as app, database.connect() as master:
        for each in (app, master):
            for statement in (ORDER, TICKET, "INSERT INTO invoices DEFAULT VALUES", "DELETE FROM invoices"):
                each.execute(statement.encode())
        refused(app, "CREATE TABLE own (id int)", "ALTER TABLE orders DROP COLUMN item", "DROP TABLE invoices")
        refused(app, "TRUNCATE orders", "SET ROLE orders_owner", "CREATE ROLE third")
    with users.login("orders_owner") as owner:
        owner.execute("DROP TABLE invoices")
        owner.execute("ALTER TABLE orders DROP COLUMN currency")


def test_what_the_owner_has_made_does_not_run_as_the_master(users: Users, database: Instance) -> None:
    """A function of the owner's that fitted better than PostgreSQL's own ran with all rights at the next release."""
    body = "BEGIN EXECUTE 'CREATE TABLE public.' || current_user || '_was_here ()'; END"
    with users.login("orders_owner") as owner:
        owner.execute(
            f"CREATE FUNCTION public.pg_advisory_xact_lock(integer) RETURNS void LANGUAGE plpgsql AS $$ {body} $$"
        )
    with database.connect() as master:
        make_roles(master, "orders_app", "orders_owner")
        found = master.execute("SELECT relname FROM pg_class WHERE relname LIKE '%was_here'").fetchall()
        master.execute("DROP FUNCTION public.pg_advisory_xact_lock(integer)")
    assert found == []


def test_nobody_logs_in_as_either_with_a_password_or_for_the_other(users: Users, database: Instance) -> None:
    for password, user in ((database.password(), "orders_app"), (users.tokens("orders_app")(), "orders_owner")):
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            database.connect(user=user, password=password, sslmode="require")


def test_service_needs_no_credentials_but_to_connect(users: Users) -> None:
    tokens = users.tokens("orders_app")
    asked: list[bool] = []
    away = False

    def make() -> str:
        asked.append(away)
        if away:
            raise psycopg.OperationalError("no AWS credentials to log in with")
        return tokens()

    async def story() -> None:
        nonlocal away
        store = users.store("orders_app", make)
        order = await store.add(NewOrder(item="tea", quantity=1))
        await store.ping()
        away = True
        for _ in range(3):
            assert await store.get(order.id) == order
            await store.ping()
        assert asked == [False, False], "one token for each connection, none for what is asked over it"
        await store.close()

    asyncio.run(story())


def test_request_waits_for_credentials_that_come_back(users: Users, database: Instance) -> None:
    tokens = users.tokens("orders_app")
    failures = 0

    def make() -> str:
        nonlocal failures
        failures += 1
        if failures <= 3:
            raise psycopg.OperationalError("no AWS credentials to log in with")
        return tokens()

    async def story() -> None:
        store = users.store("orders_app", make)
        assert await store.schema() == "0001"
        database.rds.modify_db_instance(
            DBInstanceIdentifier=database.identifier, RotateMasterUserPassword=True, ApplyImmediately=True
        )
        with database.connect() as master:
            master.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orders_app'")
        assert await store.schema() == "0001", "a rotation of the master's password is nobody else's affair"
        await store.close()

    asyncio.run(story())


def test_credentials_endpoint_that_is_away_is_a_database_that_is_away(users: Users) -> None:
    def away() -> Credentials:
        raise CredentialRetrievalError(provider="container-role", error_msg="connect timeout")

    tokens = DatabaseTokens(host="db", port=1, user="u", region="us-east-1", credentials=away)

    async def story() -> None:
        store = users.store("orders_app", tokens)
        with pytest.raises(OperationalError, match="no AWS credentials"):
            await store.ping()
        await store.close()

    asyncio.run(story())


def become(rds: RdsDaemon, monkeypatch: pytest.MonkeyPatch, *statements: dict[str, Any]) -> None:
    """From here on this process is a role with these rights."""
    keys = rds.client("sts").assume_role(RoleArn=Identities(rds).role(*statements), RoleSessionName="roles")[
        "Credentials"
    ]
    monkeypatch.setenv("AWS_ENDPOINT_URL", rds.url)
    for name, key in (
        ("ACCESS_KEY_ID", "AccessKeyId"),
        ("SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("SESSION_TOKEN", "SessionToken"),
    ):
        monkeypatch.setenv(f"AWS_{name}", keys[key])


def test_master_is_read_where_rds_keeps_it(rds: RdsDaemon, database: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    become(rds, monkeypatch, allow("secretsmanager:GetSecretValue", database.secret_arn))
    assert read_master(database.secret_arn, "us-east-1") == {"user": "orders", "password": database.password()}


def test_master_logs_in_by_its_password_and_by_a_token_where_that_alone_opens(
    rds: RdsDaemon, database: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = database.facts()
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")  # a token is for the name that the API shows
    settings = RolesSettings(
        database_host=facts["Endpoint"]["Address"],
        database_port=facts["Endpoint"]["Port"],
        database_name="orders",
        database_region="us-east-1",
        database_ca_file=DatabaseAuthority(SandboxPaths(rds.home)).certificate,
        database_master_secret=database.secret_arn,
        database_app_user="orders_app",
        database_owner_user="orders_owner",
    )
    secret = allow("secretsmanager:GetSecretValue", database.secret_arn)
    connect = allow("rds-db:connect", f"arn:aws:rds-db:us-east-1:{ACCOUNT}:dbuser:{facts['DbiResourceId']}/orders")
    with database.connect() as master:
        become(rds, monkeypatch, secret)
        log_in(settings).close()
        master.execute("GRANT rds_iam TO orders")
        try:
            with pytest.raises(psycopg.OperationalError, match="LDAP authentication failed"):
                log_in(settings)
            become(rds, monkeypatch, secret, connect)
            with log_in(settings) as connection:
                assert connection.execute("SELECT current_user::text").fetchone() == ("orders",)
        finally:
            master.execute("REVOKE rds_iam FROM orders")
