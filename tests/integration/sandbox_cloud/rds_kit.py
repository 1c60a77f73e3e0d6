"""A daemon whose RDS has real PostgreSQL servers, and nothing else behind its API."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.config import Config

from slipway.sandbox.accounts import unreachable
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.postgres import PostgresInstances
from slipway.sandbox.processes import ProcessTable
from tests.aws import aws_client
from tests.integration.sandbox_cloud.conftest import ApiDaemon

PROGRAM = """
import contextlib, os, socket, threading, time
from slipway.sandbox import postgres
from slipway.sandbox.aws.world import World, use_world
from slipway.sandbox.daemon import DaemonOptions, run
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable

paths = SandboxPaths.from_environment()
postgres.DATABASE_PORTS = range(19432, 19532)  # none of a sandbox that runs meanwhile
set_master = postgres.PostgresInstances.set_master

def may_fail(self, spec):
    set_master(self, spec)
    for fault in paths.home.glob("fault-*"):
        fault.unlink()
        if fault.name == "fault-killed":
            os._exit(9)
        raise ConnectionError("the answer was lost")

def keep():
    from slipway.sandbox.aws.rds.models import keep_instances, resume_instances
    while not (paths.sandbox / "endpoint.json").exists():
        time.sleep(0.05)
    from slipway.sandbox.aws.rds.login_server import LoginServer
    LoginServer(login_port).start()
    resume_instances()
    while True:
        time.sleep(0.3)
        with contextlib.suppress(Exception):  # as the daemon does: the next round tries again
            keep_instances()

postgres.PostgresInstances.set_master = may_fail
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    login_port = probe.getsockname()[1]
use_world(World(postgres=postgres.PostgresInstances(paths, ProcessTable(paths), login_port)))
threading.Thread(target=keep, daemon=True).start()
run(paths, DaemonOptions(port=0, api_only=True))
"""
WAIT_SECONDS = 60
needs_postgres = pytest.mark.skipif(
    os.geteuid() != 0 or not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    reason="needs root and Debian's PostgreSQL",
)


class RdsDaemon(ApiDaemon):
    """`fault("lost")`: the answer to the next change of a password is lost. `fault("killed")`: the daemon dies in its place."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, ("-c", PROGRAM))

    def client(self, service: str, region: str = "us-east-1") -> Any:
        # An operation that fails is not tried again: a second rotation would hide how the first one ended.
        once = Config(retries={"total_max_attempts": 1})
        return aws_client(service, self.home, self.url, region, config=once)

    def fault(self, name: str) -> None:
        (self.home / f"fault-{name}").touch()

    def remove_databases(self) -> None:
        paths = SandboxPaths(self.home)
        PostgresInstances(paths, ProcessTable(paths)).remove_all()
        unreachable(paths.sandbox / "postgres")


@contextmanager
def running(home: Path) -> Iterator[RdsDaemon]:
    """A daemon, and none of its databases afterwards."""
    made = RdsDaemon(home)
    made.start()
    yield made
    made.end(signal.SIGTERM)
    made.remove_databases()


class Instance:
    """A DB instance with a managed password, through the API."""

    def __init__(self, daemon: RdsDaemon, identifier: str) -> None:
        self._daemon = daemon
        self.identifier = identifier

    @property
    def rds(self) -> Any:
        return self._daemon.client("rds")

    @property
    def secrets(self) -> Any:
        return self._daemon.client("secretsmanager")

    def facts(self) -> dict[str, Any]:
        return self.rds.describe_db_instances(DBInstanceIdentifier=self.identifier)["DBInstances"][0]

    def wait_available(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while (status := self.facts()["DBInstanceStatus"]) != "available":
            assert status != "failed"
            assert time.monotonic() < deadline, f"{self.identifier} is {status}"
            time.sleep(0.2)

    @property
    def secret_arn(self) -> str:
        return self.facts()["MasterUserSecret"]["SecretArn"]

    def password(self, **of: str) -> str:
        return json.loads(self.secrets.get_secret_value(SecretId=self.secret_arn, **of)["SecretString"])["password"]

    def connect(self, **settings: Any) -> psycopg.Connection:
        """On loopback, as the master user, with the secret's password."""
        known = {"host": "127.0.0.1", "port": self.facts()["Endpoint"]["Port"], "user": "orders", "dbname": "orders"}
        if "password" not in settings:
            known["password"] = self.password()
        return psycopg.connect(**{**known, **settings}, connect_timeout=5, autocommit=True)

    def admits(self, password: str) -> bool:
        try:
            self.connect(password=password).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                return False
            raise
        return True


@contextmanager
def instance(daemon: RdsDaemon, identifier: str, **settings: Any) -> Iterator[Instance]:
    made = Instance(daemon, identifier)
    wanted = {"MasterUserPassword": "chosen-by-hand"} if settings.get("ManageMasterUserPassword") is False else {}
    made.rds.create_db_instance(
        DBInstanceIdentifier=identifier,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        DBName="orders",
        MasterUsername="orders",
        **{"ManageMasterUserPassword": True, **wanted, **settings},
    )
    made.wait_available()
    yield made
    made.rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)
