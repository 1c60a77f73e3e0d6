"""The database users of this service: `python -m migrations.roles`, as often as one likes. Other services may copy this file.

One user has rights to the data and runs the service, another one owns the tables and runs the migrations. Both log in with tokens, and
have no password. This alone logs in as the master user, whose password it reads where RDS keeps it; where that does not open, by a token.
"""

import json
from pathlib import Path
from typing import Any

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from psycopg import sql
from pydantic_settings import BaseSettings
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from orders.tokens import DatabaseTokens

IAM_ROLE = "rds_iam"
PATIENCE_SECONDS = 240
"""For credentials that AWS has only just granted, a password that is being rotated, a failover, and tables whose locks are held."""
LOCK_TIMEOUT_MS = 1000
"""Whoever waits for a table's lock holds up all who ask for one later."""
RELATIONS = """
SELECT n.nspname, c.relname, c.relkind = 'S' AS is_sequence, pg_get_userbyid(c.relowner) = current_user AS is_masters
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
    AND pg_get_userbyid(c.relowner) IN (current_user, %s)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
ORDER BY c.relkind = 'S', c.oid
"""
"""What the master and the owner have. Tables come before sequences: those of a column follow it."""
SEQUENCE_OF_A_COLUMN = """
SELECT FROM pg_depend WHERE objid = %s::regclass AND classid = 'pg_class'::regclass AND refobjsubid > 0 AND deptype IN ('a', 'i')
"""


class RolesSettings(BaseSettings):
    """One field per environment variable."""

    database_host: str
    database_port: int
    database_name: str
    database_region: str
    database_ca_file: Path
    database_master_secret: str
    """ARN of the secret in which RDS keeps the master user's name and password."""
    database_app_user: str
    database_owner_user: str


def make_roles(connection: psycopg.Connection[Any], app: str, owner: str) -> None:
    """Make both users, give the owner the tables that the master has, and the app its rights to them; all of it or nothing.

    The master keeps its own rights to the data: what logs in as the master goes on working.
    """
    names = {"app": sql.Identifier(app), "owner": sql.Identifier(owner), "iam": sql.Identifier(IAM_ROLE)}

    def run(statement: str, **more: sql.Composable) -> None:
        connection.execute(sql.SQL(statement).format(**names, **more))

    with connection.transaction():
        run(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        # What the owner has put into its schema must not run as the master.
        run("SET LOCAL search_path = pg_catalog, pg_temp")
        run("SELECT pg_advisory_xact_lock(hashtext('slipway-roles'))")
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for user in (app, owner):
            if user not in known:
                run("CREATE ROLE {user} LOGIN", user=sql.Identifier(user))
        run("GRANT {iam} TO {app}, {owner}")
        # For this transaction only. A member of the owner is one of rds_iam as well, and logs in with no password any more.
        run("GRANT {owner} TO CURRENT_USER")
        database = sql.Identifier(connection.info.dbname)
        run("GRANT CREATE, TEMPORARY ON DATABASE {database} TO {owner}", database=database)
        run("GRANT USAGE, CREATE ON SCHEMA public TO {owner}")
        run("GRANT USAGE ON SCHEMA public TO {app}")
        for schema, name, is_sequence, is_masters in connection.execute(RELATIONS, [owner]).fetchall():
            _hand_over(connection, names, sql.Identifier(schema, name), is_sequence=is_sequence, is_masters=is_masters)
        for kind, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE, SELECT")):
            run(f"ALTER DEFAULT PRIVILEGES FOR ROLE {{owner}} GRANT {rights} ON {kind} TO {{app}}")
            run(f"ALTER DEFAULT PRIVILEGES FOR ROLE {{owner}} GRANT ALL ON {kind} TO CURRENT_USER")
        run("REVOKE {owner} FROM CURRENT_USER")


def _hand_over(
    connection: psycopg.Connection[Any],
    names: dict[str, sql.Identifier],
    relation: sql.Identifier,
    *,
    is_sequence: bool,
    is_masters: bool,
) -> None:
    kind = sql.SQL("SEQUENCE" if is_sequence else "TABLE")
    columns = is_sequence and connection.execute(SEQUENCE_OF_A_COLUMN, [relation.as_string()]).fetchone() is not None
    if is_masters and not columns:
        connection.execute(sql.SQL("ALTER {} {} OWNER TO {}").format(kind, relation, names["owner"]))
    rights = sql.SQL("USAGE, SELECT" if is_sequence else "SELECT, INSERT, UPDATE, DELETE")
    connection.execute(sql.SQL("GRANT {} ON {} {} TO {}").format(rights, kind, relation, names["app"]))
    connection.execute(sql.SQL("GRANT ALL ON {} {} TO CURRENT_USER").format(kind, relation))


def read_master(secret: str, region: str) -> dict[str, str]:
    """User and password as they are now."""
    client: Any = Session().create_client("secretsmanager", region_name=region)
    found: dict[str, str] = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
    return {"user": found["username"], "password": found["password"]}


def main() -> None:
    """Make the users of the environment's database."""
    settings = RolesSettings.model_validate({})
    retrying = Retrying(
        retry=retry_if_exception_type((psycopg.OperationalError, BotoCoreError, ClientError)),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        stop=stop_after_delay(PATIENCE_SECONDS),
        before_sleep=_tell,
        reraise=True,
    )
    retrying(_make_once, settings)
    print(f"{settings.database_app_user} and {settings.database_owner_user} log in with tokens")  # noqa: T201 - the Job's log


def _make_once(settings: RolesSettings) -> None:
    with log_in(settings) as connection:
        make_roles(connection, settings.database_app_user, settings.database_owner_user)


def log_in(settings: RolesSettings) -> psycopg.Connection[Any]:
    """As the master user, whichever way the server lets it in.

    From PostgreSQL 16 on, who makes a role remains a member of it. A member of the two users is one of rds_iam as well, and where RDS
    goes by that, it wants a token from the master, too.
    """
    master = read_master(settings.database_master_secret, settings.database_region)

    def connect(password: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=settings.database_host,
            port=settings.database_port,
            dbname=settings.database_name,
            sslmode="verify-full",
            sslrootcert=str(settings.database_ca_file),
            connect_timeout=5,
            autocommit=True,
            user=master["user"],
            password=password,
        )

    try:
        return connect(master["password"])
    except psycopg.OperationalError as refusal:
        make_token = DatabaseTokens(
            host=settings.database_host,
            port=settings.database_port,
            user=master["user"],
            region=settings.database_region,
        )
        try:
            return connect(make_token())
        except psycopg.OperationalError:
            raise refusal from None


def _tell(attempt: RetryCallState) -> None:
    error = attempt.outcome.exception() if attempt.outcome else None
    print(f"not yet: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", flush=True)  # noqa: T201 - the Job's log


if __name__ == "__main__":
    main()
