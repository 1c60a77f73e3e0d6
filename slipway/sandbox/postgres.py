"""Real PostgreSQL servers, one per RDS instance: own data folder, own port, on the two loopback addresses.

The master user is no superuser, as on RDS. The superuser is the sandbox's own: it has no password, and logs in over a socket, by the
account of the process at its other end.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from slipway.errors import MachineError, OperationError
from slipway.log import get_logger
from slipway.sandbox.accounts import WRITTEN_OUT, as_account, hand_over, let_read, reachable
from slipway.sandbox.database_tls import (
    FORCE_TLS,
    IAM_ROLE,
    DatabaseAuthority,
    host_based_access,
    ident_map,
    server_valid_till,
    tls_settings,
)
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import DATABASE_PORTS, HOST_ADDRESS, LOGIN_PORT
from slipway.sandbox.processes import ProcessSpec, ProcessTable

ACCOUNT = "postgres"
SUPERUSER = "rdsadmin"
CONNECT_TIMEOUT_SECONDS = 3
COMMAND_TIMEOUT_SECONDS = 120
SHARED_BUFFERS = "32MB"
"""Three environments share this machine; RDS would give a quarter of the instance's memory."""
MASTER_ROLE: tuple[LiteralString, ...] = (
    "CREATE ROLE rds_superuser NOLOGIN",
    "GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION",
)
SUPERUSER_LOGIN: LiteralString = "ALTER ROLE rdsadmin PASSWORD NULL"
"""`pg_read_all_data` shows a password's verifier. An earlier version gave the superuser a password; so do snapshots of its servers."""
CLOSED_ROLES = ["pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"]
"""Until version 16, PostgreSQL lets everybody with CREATEROLE grant these: a shell and all files of the server's account."""
CLOSE_ROLES: tuple[LiteralString, ...] = (
    # Only a superuser may grant a role that is marked so. Nobody is a member of one, and nobody can log in as one.
    "UPDATE pg_authid SET rolsuper = true WHERE rolname = ANY (%s) AND NOT rolsuper",
    "DELETE FROM pg_auth_members USING pg_roles WHERE roleid = pg_roles.oid AND rolname = ANY (%s)",
)
NOT_FOR_CALLERS = re.compile(
    r"listen_addresses|port|ssl|unix_socket_\w+|krb_\w+|jit_provider|archive_library|\w+_(command|path|directory|file|filename)|logging_collector|(session|local)_preload_libraries"
)
"""Parameters that RDS does not let a caller change: they open the server up, run commands or name files."""

PRELOADED = "shared_preload_libraries"
PRELOADABLE = frozenset({"auto_explain", "pg_prewarm", "pg_stat_statements"})
"""Those of RDS's list that PostgreSQL brings itself. Any other name may be a file's, which would run as the account of all databases."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class DatabaseSpec:
    """One instance as RDS was asked for it."""

    name: str
    """Unique in the sandbox: `<region>-<identifier>`, with the account before it where that is another than the sandbox's own."""
    port: int
    master_username: str
    master_password: str
    database: str = ""
    """Made at creation when given."""
    parameters: Mapping[str, str] | None = None
    """Of the parameter group; `rds.force_ssl` counts; others that PostgreSQL does not know are ignored, and logged."""


class PostgresInstances:
    """All PostgreSQL servers of one sandbox. Every operation may be repeated."""

    def __init__(self, paths: SandboxPaths, processes: ProcessTable, login_port: int = LOGIN_PORT) -> None:
        self._login_port = login_port
        self._folder = paths.sandbox / "postgres"
        self._processes = processes
        self.authority = DatabaseAuthority(paths)
        """Signs the servers' certificates."""

    def free_port(self, taken: set[int]) -> int:
        """The first port from 15432 up that no instance has and nothing listens on."""
        for port in DATABASE_PORTS:
            if port not in taken and not _listens(port):
                return port
        raise MachineError(
            f"no free port from {DATABASE_PORTS[0]} up for a database", remedy="delete databases that are not needed"
        )

    def version(self) -> str:
        """Of the installed PostgreSQL: `15.18`."""
        argv = [str(_programs_folder() / "postgres"), "--version"]
        text = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout
        return text.split()[2]

    def create(self, spec: DatabaseSpec, *, snapshot: str = "") -> None:
        """Make the data folder (from a snapshot if named), start the server, and give it its master user and database."""
        data = self._data(spec.name)
        if not (data / "PG_VERSION").exists():
            self._make_data(spec.name, snapshot)
        self.configure(spec)
        self.start(spec.name, spec.port)
        self.set_master(spec)
        self.reload(spec.name)  # one that an earlier version of the sandbox started

    def start(self, name: str, port: int) -> None:
        """Run the server; returns when it answers queries."""
        data = self._data(name)
        if not (data / "PG_VERSION").exists():
            raise OperationError(
                f"the data folder of {name} is gone", where=str(data), remedy="delete the DB instance and make it anew"
            )
        seen = self._seen(name)
        if self._processes.find(f"postgres-{name}") is None or not self.running(name):
            # Left behind by kill -9 or a reboot; its pid may be another process's by now, and PostgreSQL would refuse.
            (data / "postmaster.pid").unlink(missing_ok=True)
        elif not (self._sockets() / f".s.PGSQL.{port}").exists():
            self.stop(name)  # an earlier version of the sandbox started it, without a socket
        self._processes.ensure(
            ProcessSpec(
                name=f"postgres-{name}",
                argv=[
                    str(_programs_folder() / "postgres"),
                    "-D",
                    str(seen / "data"),
                    f"--config-file={seen / 'postgresql.conf'}",
                    f"--hba-file={seen / 'pg_hba.conf'}",
                ],
                account=ACCOUNT,
                folders=[data],
                cwd=Path("/"),
                ready=lambda: self._answers(port),
                ready_timeout_seconds=60,
            )
        )

    def stop(self, name: str) -> None:
        """End the server; data stays."""
        self._processes.stop(f"postgres-{name}", timeout_seconds=20)

    def running(self, name: str) -> bool:
        """Whether the server's process lives."""
        record = self._processes.find(f"postgres-{name}")
        return record is not None and record.process() is not None

    def certificate_valid_till(self, name: str) -> datetime | None:
        """When the server's certificate ends; None while it has none."""
        return server_valid_till(self._folder / name)

    def delete(self, name: str) -> None:
        """End the server and remove its data; none is fine."""
        self.stop(name)
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def configure(self, spec: DatabaseSpec) -> list[str]:
        """Write the server's configuration; the parameters that PostgreSQL does not know, which are left out."""
        known = self._known_parameters()
        wanted = dict(spec.parameters or {})
        ignored = sorted(
            name
            for name, value in wanted.items()
            if name not in known
            or "{" in value
            or not value.isprintable()
            or NOT_FOR_CALLERS.fullmatch(name)
            or (name == PRELOADED and not PRELOADABLE.issuperset(re.split(r"\s*,\s*", value)))
        )
        lines = {
            "listen_addresses": f"127.0.0.1,{HOST_ADDRESS}",
            "port": str(spec.port),
            "unix_socket_directories": str(self._sockets()),
            "ident_file": str(self._seen(spec.name) / "pg_ident.conf"),
            "password_encryption": "scram-sha-256",
            "shared_buffers": SHARED_BUFFERS,
            "max_connections": "60",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **tls_settings(str(self._seen(spec.name))),
        } | {name: value for name, value in wanted.items() if name not in ignored}
        let_read(self._folder / spec.name, ACCOUNT)
        self.authority.ensure_server(self._folder / spec.name, ACCOUNT)
        for name, text in (
            ("postgresql.conf", "".join(f"{name} = {_quote(value)}\n" for name, value in lines.items())),
            ("pg_hba.conf", host_based_access(spec.name, wanted, self._login_port)),
            ("pg_ident.conf", ident_map()),
        ):
            path = self._folder / spec.name / name
            path.write_text(text)
            let_read(path, ACCOUNT)
        ignored = [name for name in ignored if name != FORCE_TLS]
        if ignored:
            log.info("parameters without effect in the sandbox", database=spec.name, parameters=ignored)
        return ignored

    def set_master(self, spec: DatabaseSpec) -> None:
        """Create the master user and the database, or set the user's password."""
        user = sql.Identifier(spec.master_username)
        with self._connect(spec.port) as connection:
            if _absent(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", "rds_superuser"):
                for statement in MASTER_ROLE:
                    connection.execute(statement)
            if _absent(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", IAM_ROLE):
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(IAM_ROLE)))
            connection.execute(SUPERUSER_LOGIN)
            for statement in CLOSE_ROLES:
                connection.execute(statement, [CLOSED_ROLES])
            if _absent(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", spec.master_username):
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser").format(user)
                )
            # The text of a statement is shown to members of `pg_monitor`, and may be logged.
            words = (spec.master_password.encode(), spec.master_username.encode())
            verifier = connection.pgconn.encrypt_password(*words, b"scram-sha-256").decode()
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(user, sql.Literal(verifier)))
            if spec.database and _absent(connection, "SELECT 1 FROM pg_database WHERE datname = %s", spec.database):
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(spec.database), user))

    def reload(self, name: str) -> None:
        """Have the running server read its configuration again."""
        record = self._processes.find(f"postgres-{name}")
        process = record.process() if record else None
        if process is not None:
            process.send_signal(signal.SIGHUP)

    def snapshot(self, name: str, port: int, snapshot: str) -> None:
        """Copy the running server's data (pg_basebackup) under the snapshot's name."""
        target = self._snapshot(snapshot)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}.partial")
        shutil.rmtree(temporary, ignore_errors=True)
        argv = [
            str(_programs_folder() / "pg_basebackup"),
            "-D",
            str(temporary),
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
        ]
        argv += ["-h", str(self._sockets()), "-p", str(port), "-U", SUPERUSER]
        _run(argv, f"copying {name}")
        temporary.rename(target)

    def delete_snapshot(self, snapshot: str) -> None:
        """Remove a snapshot; none is fine."""
        shutil.rmtree(self._snapshot(snapshot), ignore_errors=True)

    def remove_all(self) -> None:
        """End every server and remove all data."""
        for record in list(self._processes.records()):
            if record.name.startswith("postgres-"):
                self._processes.stop(record.name)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_data(self, name: str, snapshot: str) -> None:
        home = self._folder / name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        let_read(home, ACCOUNT)
        if snapshot:
            source = self._snapshot(snapshot)
            if not source.exists():
                raise OperationError(f"the snapshot {snapshot} holds no data", where=str(source))
            subprocess.run(
                ["cp", "-a", str(source), str(self._data(name))], check=True, timeout=COMMAND_TIMEOUT_SECONDS
            )
            (self._data(name) / "superuser").unlink(missing_ok=True)  # the password of an earlier version
            return
        hand_over(self._data(name), ACCOUNT)
        seen = self._seen(name)
        argv = [str(_programs_folder() / "initdb"), "-D", str(seen / "data"), "--username", SUPERUSER]
        argv += [
            "--auth-local",
            "peer",
            "--auth-host",
            "reject",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-sync",
        ]
        try:
            _run(as_account(ACCOUNT, argv), f"making the data folder of {name}")
        except OperationError:
            shutil.rmtree(self._data(name), ignore_errors=True)
            raise

    def _connect(self, port: int) -> AbstractContextManager[psycopg.Connection]:
        return psycopg.connect(
            host=str(self._sockets()),
            port=port,
            user=SUPERUSER,
            dbname="postgres",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            autocommit=True,
        )

    def _answers(self, port: int) -> bool:
        with self._connect(port) as connection:
            return connection.execute("SELECT 1").fetchone() is not None

    def _known_parameters(self) -> set[str]:
        argv = as_account(ACCOUNT, [str(_programs_folder() / "postgres"), "--describe-config"])
        lines = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout.splitlines()
        return {line.partition("\t")[0] for line in lines}

    def _data(self, name: str) -> Path:
        return self._folder / name / "data"

    def _seen(self, name: str) -> Path:
        """The instance's folder by the path that the server's account can walk."""
        self._folder.chmod(0o711)  # each folder in it is private
        return reachable(self._folder) / name

    def _sockets(self) -> Path:
        """Where all servers have their sockets, by port, for their account and root. A socket's path has 107 bytes at most."""
        folder = self._folder / "sockets"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.chown(folder, ACCOUNT, ACCOUNT)
        return self._seen(folder.name)

    def _snapshot(self, snapshot: str) -> Path:
        return self._folder / "snapshots" / snapshot


def _absent(connection: psycopg.Connection, query: LiteralString, argument: str) -> bool:
    return connection.execute(query, [argument]).fetchone() is None


def _programs_folder() -> Path:
    """Debian keeps the server's programs off PATH, by major version: the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise MachineError(
            "PostgreSQL's server is not installed",
            remedy="run `slipway sandbox up`, which installs it, or `apt-get install postgresql-15`",
        )
    return found[-1].parent


def _quote(value: str) -> str:
    """As one value of postgresql.conf, whatever is in it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _run(argv: list[str], what: str) -> None:
    try:
        subprocess.run(
            argv,
            check=True,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            cwd="/",
            env=WRITTEN_OUT,
        )
    except subprocess.CalledProcessError as error:
        raise OperationError(f"{what} failed: {str(error.stderr).strip()[-500:]}") from error
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"{what} took longer than {COMMAND_TIMEOUT_SECONDS} s") from error
