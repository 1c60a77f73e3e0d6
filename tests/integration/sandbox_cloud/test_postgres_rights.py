"""What a database's master user and its server may do: what RDS gives, and no more. On a real PostgreSQL, as the sandbox runs it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
import pytest
from psycopg import sql

from slipway.sandbox.accounts import reachable, unreachable
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.postgres import DatabaseSpec, PostgresInstances
from slipway.sandbox.processes import ProcessTable
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    reason="needs root and Debian's PostgreSQL",
)
NAME = "rights"
INJECTED = "x' \\\narchive_command = 'touch /tmp/owned"


class Server:
    """One instance without an RDS before it."""

    def __init__(self, folder: Path) -> None:
        self.paths = SandboxPaths(folder)
        self.processes = ProcessTable(self.paths)
        self.instances = PostgresInstances(self.paths, self.processes)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def spec(self, **parameters: str) -> DatabaseSpec:
        return DatabaseSpec(
            name=NAME,
            port=self.port,
            master_username="orders",
            master_password="it's \\ secret",
            database="orders",
            parameters=parameters,
        )

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="orders",
            password="it's \\ secret",
            dbname="orders",
            autocommit=True,
        )

    def process(self) -> psutil.Process:
        record = self.processes.find(f"postgres-{NAME}")
        process = record.process() if record else None
        assert process is not None
        return process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # Below a folder that only root can enter, as a home folder may be.
    made = Server(tmp_path_factory.mktemp("postgres"))
    made.instances.create(made.spec())
    yield made
    made.instances.delete(NAME)
    unreachable(made.paths.sandbox / "postgres")


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("GRANT pg_execute_server_program TO orders", "must be superuser"),
        ("GRANT pg_read_server_files TO orders", "must be superuser"),
        ("GRANT pg_write_server_files TO orders", "must be superuser"),
        ("CREATE ROLE reader IN ROLE pg_read_server_files", "must be superuser"),
        ("ALTER ROLE pg_execute_server_program NOSUPERUSER", "reserved"),
        ("SET ROLE pg_execute_server_program", "permission denied"),
        ("GRANT rdsadmin TO orders", "must be superuser"),
        ("ALTER ROLE orders SUPERUSER", "must be superuser"),
        ("ALTER ROLE rdsadmin PASSWORD 'x'", "must be superuser"),
        ("CREATE ROLE copy REPLICATION", "must be superuser"),
        ("ALTER SYSTEM SET archive_command = 'id'", "permission denied"),
        ("COPY (SELECT 1) TO PROGRAM 'id'", "superuser or have privileges"),
        ("COPY (SELECT 1) TO '/tmp/slipway-owned'", "superuser or have privileges"),
        ("SELECT pg_read_file('/etc/passwd')", "permission denied"),
        ("SELECT lo_import('/etc/passwd')", "permission denied"),
        ("CREATE FUNCTION run(text) RETURNS int LANGUAGE c AS 'libc.so.6', 'system'", "permission denied"),
        ("CREATE EXTENSION file_fdw", "permission denied"),
        ("UPDATE pg_authid SET rolsuper = true", "permission denied"),
    ],
)
def test_refuses_the_master_user_what_leads_out_of_the_database(
    server: Server, statement: LiteralString, refusal: str
) -> None:
    with server.connect() as connection, pytest.raises(psycopg.Error, match=refusal):
        connection.execute(statement)


def test_refuses_what_an_earlier_version_let_the_master_user_grant_itself(server: Server) -> None:
    roles = "SELECT count(*) FROM pg_roles WHERE pg_has_role('orders', oid, 'MEMBER') AND rolname LIKE 'pg_execute%'"
    with server.connect() as connection:
        superuser = server.instances._connect(server.port)  # pyright: ignore[reportPrivateUsage]
        with superuser as admin:
            admin.execute("GRANT pg_execute_server_program TO orders")
        assert connection.execute(roles).fetchone() == (1,)
        server.instances.set_master(server.spec())
        assert connection.execute(roles).fetchone() == (0,)


def test_master_user_makes_roles_and_databases_and_sees_what_rds_shows_it(server: Server) -> None:
    with server.connect() as connection:
        connection.execute("CREATE ROLE service LOGIN PASSWORD 'x' IN ROLE pg_read_all_data")
        connection.execute("GRANT pg_monitor TO service")
        connection.execute("CREATE DATABASE another")
        connection.execute("CREATE EXTENSION pgcrypto")
        connection.execute("DROP DATABASE another")
        assert connection.execute("SHOW is_superuser").fetchone() == ("off",)


def test_role_that_reads_all_data_reads_no_way_into_the_superuser(server: Server) -> None:
    with server.instances._connect(server.port) as admin:  # pyright: ignore[reportPrivateUsage]
        admin.execute("ALTER ROLE rdsadmin PASSWORD 'of an earlier version'")
    server.instances.set_master(server.spec())
    with server.connect() as connection:
        connection.execute("GRANT pg_read_all_data, pg_monitor TO orders")
        try:
            found = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'rdsadmin'").fetchone()
            assert found == (None,)
            for view in ("pg_hba_file_rules", "pg_ident_file_mappings", "pg_file_settings"):
                with pytest.raises(psycopg.Error, match="permission denied"):
                    connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(view)))
        finally:
            connection.execute("REVOKE pg_read_all_data, pg_monitor FROM orders")


@pytest.mark.parametrize("account", ["nobody", "postgres"])
def test_superuser_is_the_account_that_runs_the_sandbox_and_no_other(server: Server, account: str) -> None:
    sockets = str(server.instances._sockets())  # pyright: ignore[reportPrivateUsage]
    for host in (sockets, "127.0.0.1"):
        argv = [
            "setpriv",
            f"--reuid={account}",
            f"--regid={account if account != 'nobody' else 'nogroup'}",
            "--clear-groups",
        ]
        asked = f"host={host} port={server.port} user=rdsadmin dbname=postgres"
        ended = subprocess.run(
            [*argv, "psql", "-w", asked, "-c", "SELECT 1"], check=False, capture_output=True, text=True, cwd="/"
        )
        assert ended.returncode != 0
        assert any(
            why in ended.stderr for why in ("Peer authentication failed", "rejects connection", "Permission denied")
        )


def test_password_is_in_no_statement_that_others_may_see(server: Server) -> None:
    server.instances.configure(server.spec(log_statement="all"))
    server.instances.reload(NAME)
    log = server.processes.log_path(f"postgres-{NAME}")
    wait_until(lambda: "log_statement" in log.read_text(), "the server to read its configuration", 20)
    server.instances.set_master(server.spec())
    server.instances.configure(server.spec())
    server.instances.reload(NAME)
    assert "ALTER ROLE" in log.read_text()
    assert "secret" not in log.read_text()


def test_server_of_an_earlier_version_is_started_again_with_a_socket(server: Server) -> None:
    before = server.process().pid
    server.instances.start(NAME, server.port)
    assert server.process().pid == before
    (server.instances._sockets() / f".s.PGSQL.{server.port}").unlink()  # pyright: ignore[reportPrivateUsage]
    server.instances.start(NAME, server.port)
    assert server.process().pid != before


def test_server_is_an_account_of_its_own_with_no_capability_and_no_variable_of_its_caller(server: Server) -> None:
    process = server.process()
    status = Path(f"/proc/{process.pid}/status").read_text()
    masks = [line.split()[1] for line in status.splitlines() if line.startswith("Cap")]
    assert process.username() == "postgres"
    assert {int(mask, 16) for mask in masks} == {0}
    assert "NoNewPrivs:\t1" in status
    assert {name for name in process.environ() if not name.startswith("PG")} == {"PATH", "LANG"}
    assert {address.laddr.ip for address in process.net_connections("inet") if address.status == "LISTEN"} <= {
        "127.0.0.1",
        "10.87.0.1",
    }


@pytest.mark.parametrize("account", ["nobody", "etcd"])
@pytest.mark.parametrize("file", ["pg_hba.conf", "postgresql.conf", "data/PG_VERSION", "data/base"])
def test_another_account_reads_nothing_of_a_database(server: Server, account: str, file: str) -> None:
    path = reachable(server.paths.sandbox / "postgres") / NAME / file
    assert path.exists()
    argv = ["setpriv", f"--reuid={account}", "--clear-groups", "--regid=nogroup", "ls", "-ld", str(path)]
    assert subprocess.run(argv, check=False, capture_output=True).returncode != 0


def test_parameter_group_neither_opens_the_server_nor_adds_a_line(server: Server) -> None:
    hostile = {
        "listen_addresses": "*",
        "archive_command": "id",
        "hba_file": "/tmp/hba",
        "log_line_prefix": INJECTED,
        "log_filename": "../../../tmp/log",
        "logging_collector": "on",
        "shared_preload_libraries": "pg_stat_statements,/tmp/evil",
        "cluster_name": "it's \\ fine",
    }
    assert server.instances.configure(server.spec(**hostile)) == sorted(hostile.keys() - {"cluster_name"})
    preloaded = {"shared_preload_libraries": "pg_stat_statements, auto_explain"}
    assert server.instances.configure(server.spec(**preloaded)) == []
    server.instances.configure(server.spec(**hostile))
    server.instances.stop(NAME)
    server.instances.start(NAME, server.port)
    with server.connect() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1,10.87.0.1",)
        assert connection.execute("SHOW cluster_name").fetchone() == ("it's \\ fine",)


def test_folder_that_was_removed_and_made_again_is_reachable(tmp_path: Path) -> None:
    folder = tmp_path / "again"
    try:
        for _ in range(2):
            folder.mkdir()
            assert reachable(folder).samefile(folder)
            folder.rmdir()
    finally:
        unreachable(folder)
    assert str(folder) not in Path("/proc/self/mounts").read_text()
