"""RDS instances that exist: each change of a DB instance changes a PostgreSQL server.

Only engine `postgres` has a server behind it. Any other engine, clusters, replicas and point-in-time restores are refused, because an
"available" instance that nobody can connect to is worse than an error.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any, cast
from urllib.parse import quote
from uuid import uuid4

from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBInstance, DBParameterGroup, DBSnapshot, RDSBackend, rds_backends

from slipway.log import get_logger
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.rds.authorities import check_authority
from slipway.sandbox.aws.rds.master_secrets import password_in, rotate
from slipway.sandbox.aws.world import in_background, world
from slipway.sandbox.aws_accounts import OWN_ACCOUNT
from slipway.sandbox.paths import DATABASE_AUTHORITY as AUTHORITY
from slipway.sandbox.ports import HOST_ADDRESS
from slipway.sandbox.postgres import DatabaseSpec, PostgresInstances

ENGINE = "postgres"
NEW, STARTING, AVAILABLE, FAILED = "creating", "starting", "available", "failed"
MODIFYING, STOPPING, STOPPED, REBOOTING = "modifying", "stopping", "stopped", "rebooting"

log = get_logger(__name__)


class RealInstance(DBInstance):
    """A DB instance with a server; its address and port are the server's."""

    source_snapshot: str = ""
    """Name of the data copy it was made from."""
    fault: str = ""
    """Why it failed."""
    asked_port: int = 5432
    """Where it would listen at AWS; security groups name this port."""
    unsettled: bool = False
    """The server may have another master password than this says: a change of it did not end well, or the server ended."""

    @property
    def address(self) -> str:
        """Where pods and this machine reach the server."""
        return HOST_ADDRESS

    @property
    def certificate_details(self) -> dict[str, Any]:
        """As DescribeDBInstances shows the server's certificate, once there is one."""
        postgres = world().postgres
        till = postgres.certificate_valid_till(self.server_name) if postgres else None
        return {"CAIdentifier": AUTHORITY, "ValidTill": till} if till else {"CAIdentifier": AUTHORITY}

    @property
    def server_name(self) -> str:
        """The server's name in the sandbox."""
        return f"{_home(self.account_id, self.region)}-{self.db_instance_identifier}"

    def spec(self) -> DatabaseSpec:
        """What the server must be like."""
        group = self.db_parameter_groups()[0]
        return DatabaseSpec(
            name=self.server_name,
            port=int(self.port or 0),
            master_username=str(self.master_username),
            master_password=self.current_password(),
            database=self.db_name or "",
            parameters={
                name: str(facts["ParameterValue"])
                for name, facts in group.parameters.items()
                if "ParameterValue" in facts
            },
        )

    def current_password(self) -> str:
        """The master password: the managed secret's, or the one that was given."""
        if self.manage_master_user_password:
            # From the service: the object in hand may be older than the secret (it was restored, or the secret was rotated).
            managed = self.master_user_secret
            secretsmanager: Any = managed.secretsmanager
            text = secretsmanager.get_secret_value(managed.secret_arn, None, "AWSCURRENT")["SecretString"]
            return password_in(text)
        return str(self._master_user_password)

    def rotate_master(self, version: str) -> None:
        """A new password in the server and in the managed secret, as its version of this id."""
        postgres = world().postgres
        managed = self.master_user_secret
        secretsmanager: Any = managed.secretsmanager

        def set_password(password: str) -> None:
            if postgres is not None:
                self.unsettled = True  # until the server has said that it took it
                postgres.set_master(replace(self.spec(), master_password=password))
                self.unsettled = False

        rotate(secretsmanager.secrets[managed.secret_arn], set_password, version)


class PostgresBackend(RDSBackend):
    """moto's RDS with servers. Without a PostgreSQL in the world it is moto's."""

    def create_db_instance(self, db_kwargs: dict[str, Any]) -> DBInstance:
        """Start a server in the background; the instance is `creating` until it answers."""
        postgres = world().postgres
        if postgres is None:
            return super().create_db_instance(db_kwargs)
        wanted = dict(db_kwargs.items())
        _refuse_unsupported(wanted)
        wanted["ca_certificate_identifier"] = AUTHORITY
        snapshot = str(wanted.pop("source_snapshot", ""))
        wanted["engine_version"] = wanted.get("engine_version") or postgres.version()
        made = super().create_db_instance(wanted)
        # moto names its class inside; the attributes are the same.
        made.__class__ = RealInstance
        database = cast(RealInstance, made)
        database.source_snapshot = snapshot
        # moto gives every instance the same one.
        database.dbi_resource_id = f"db-{secrets.token_hex(13).upper()}"
        database.asked_port = int(database.port or database.asked_port)
        database.port = postgres.free_port(_ports_in_use())
        if int(database.engine_version.split(".")[0]) != int(postgres.version().split(".")[0]):
            log.warning("another version than asked for", asked=database.engine_version, runs=postgres.version())
        self._start(postgres, database, NEW)
        return database

    def modify_db_instance(self, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> DBInstance:
        """Apply a new password or parameter group to the server; anything else is moto's."""
        postgres = world().postgres
        if postgres is None:
            return super().modify_db_instance(db_instance_identifier, db_kwargs)
        if "new_db_instance_identifier" in db_kwargs:
            raise RDSClientError(
                "InvalidParameterCombination",
                "The sandbox does not rename DB instances; make a new one from a snapshot.",
            )
        wanted = dict(db_kwargs.items())
        wanted.pop("port", None)
        check_authority(wanted)
        rotates = bool(wanted.pop("rotate_master_user_password", None))
        if rotates:
            _refuse_rotation(self.describe_db_instances(db_instance_identifier)[0], wanted)
        database = super().modify_db_instance(db_instance_identifier, wanted)
        if isinstance(database, RealInstance) and database.status == AVAILABLE:
            if rotates:
                database.rotate_master(str(uuid4()))
            self._apply(postgres, database)
        return database

    def modify_db_parameter_group(self, db_parameter_group_name: str, *args: Any, **kwargs: Any) -> DBParameterGroup:
        """Servers of the group read it at once; static parameters wait for a reboot."""
        group = super().modify_db_parameter_group(db_parameter_group_name, *args, **kwargs)
        postgres = world().postgres
        running = [
            each for each in self.databases.values() if isinstance(each, RealInstance) and each.status == AVAILABLE
        ]
        for database in running:
            if postgres is not None and any(each.name == group.name for each in database.db_parameter_groups()):
                self._apply(postgres, database)
        return group

    def reboot_db_instance(self, db_instance_identifier: str) -> DBInstance:
        """Restart the server; static parameters take effect."""
        database = super().reboot_db_instance(db_instance_identifier)
        postgres = world().postgres
        if postgres is not None and isinstance(database, RealInstance):
            postgres.stop(database.server_name)
            self._start(postgres, database, REBOOTING)
        return database

    def stop_db_instance(self, db_instance_identifier: str, db_snapshot_identifier: str | None = None) -> DBInstance:
        """Stop the server; data stays."""
        database = super().stop_db_instance(db_instance_identifier, db_snapshot_identifier)
        postgres = world().postgres
        if postgres is not None and isinstance(database, RealInstance):
            postgres.stop(database.server_name)
        return database

    def start_db_instance(self, db_instance_identifier: str) -> DBInstance:
        """Start a stopped server."""
        database = super().start_db_instance(db_instance_identifier)
        postgres = world().postgres
        if postgres is not None and isinstance(database, RealInstance):
            self._start(postgres, database, STARTING)
        return database

    def delete_db_instance(self, db_instance_identifier: str, *args: Any, **kwargs: Any) -> DBInstance:
        """Copy the data if a final snapshot is wanted, then remove the server and its data."""
        database = super().delete_db_instance(db_instance_identifier, *args, **kwargs)
        postgres = world().postgres
        if postgres is not None and isinstance(database, RealInstance):
            postgres.delete(database.server_name)
        return database

    def create_db_snapshot(
        self, db_instance_identifier: str, db_snapshot_identifier: str, *args: Any, **kwargs: Any
    ) -> DBSnapshot:
        """Copy the server's data."""
        snapshot = super().create_db_snapshot(db_instance_identifier, db_snapshot_identifier, *args, **kwargs)
        database = self.databases[db_instance_identifier]
        postgres = world().postgres
        if postgres is not None and isinstance(database, RealInstance) and postgres.running(database.server_name):
            postgres.snapshot(database.server_name, int(database.port or 0), self._copy_name(db_snapshot_identifier))
        return snapshot

    def delete_db_snapshot(self, db_snapshot_identifier: str) -> DBSnapshot:
        """Remove the copy."""
        snapshot = super().delete_db_snapshot(db_snapshot_identifier)
        postgres = world().postgres
        if postgres is not None:
            postgres.delete_snapshot(self._copy_name(snapshot.db_snapshot_identifier))
        return snapshot

    def restore_db_instance_from_db_snapshot(self, from_snapshot_id: str, overrides: dict[str, Any]) -> DBInstance:
        """A new server from a copy of another one's data."""
        if world().postgres is not None:
            name = from_snapshot_id.rpartition(":")[2]
            overrides = dict(overrides.items()) | {"source_snapshot": self._copy_name(name)}
        return super().restore_db_instance_from_db_snapshot(from_snapshot_id, overrides)

    def restore_db_instance_to_point_in_time(self, *args: Any, **kwargs: Any) -> DBInstance:
        """Not in the sandbox: no write-ahead log is archived."""
        if world().postgres is not None:
            raise RDSClientError(
                "InvalidParameterCombination", "The sandbox restores DB instances from snapshots only."
            )
        return super().restore_db_instance_to_point_in_time(*args, **kwargs)

    def create_db_instance_read_replica(self, db_kwargs: dict[str, Any]) -> DBInstance:
        """Not in the sandbox."""
        if world().postgres is not None:
            raise RDSClientError("InvalidParameterCombination", "The sandbox does not run read replicas.")
        return super().create_db_instance_read_replica(db_kwargs)

    def resume(self) -> None:
        """After the daemon or the machine came back: run what should run, finish what was begun."""
        postgres = world().postgres
        if postgres is None:
            return
        for database in self.databases.values():
            if isinstance(database, RealInstance):
                database.ca_certificate_identifier = AUTHORITY  # earlier versions of the sandbox had another
            if isinstance(database, RealInstance) and database.status not in (STOPPED, FAILED):
                self._start(postgres, database, NEW if database.status == NEW else STARTING)

    def _start(self, postgres: PostgresInstances, database: RealInstance, status: str) -> None:
        database.status = status
        spec, snapshot = database.spec(), database.source_snapshot

        def failed(error: Exception) -> None:
            database.status = FAILED
            database.fault = str(error)

        def done() -> None:
            database.status = AVAILABLE
            database.fault = ""

        in_background(
            "rds", database.server_name, lambda: postgres.create(spec, snapshot=snapshot), done=done, failed=failed
        )

    def _apply(self, postgres: PostgresInstances, database: RealInstance) -> None:
        spec = database.spec()
        postgres.configure(spec)
        database.unsettled = True
        postgres.set_master(spec)
        database.unsettled = False
        postgres.reload(spec.name)

    def _copy_name(self, snapshot: str) -> str:
        return f"{_home(self.account_id, self.region_name)}-{quote(snapshot, safe='')}"  # names a folder


def resume_instances() -> None:
    """Run every instance that should run."""
    for _, _, backend in list(rds_backends.iter_backends()):
        if isinstance(backend, PostgresBackend):
            backend.resume()


def keep_instances() -> None:
    """Start again what ended by itself (killed, out of memory), as RDS restarts a database that crashed."""
    postgres = world().postgres
    for database in real_instances():
        if postgres is None or database.status != AVAILABLE:
            continue
        if not postgres.running(database.server_name):
            log.warning("database ended; starting it again", database=database.server_name)
            database.unsettled = True
            postgres.start(database.server_name, int(database.port or 0))
        if database.unsettled:
            with API_LOCK:  # no rotation in between
                postgres.set_master(database.spec())
                database.unsettled = False


def real_instances() -> list[RealInstance]:
    """Every instance with a server, in all regions."""
    backends = [backend for _, _, backend in list(rds_backends.iter_backends()) if isinstance(backend, RDSBackend)]
    found = [database for backend in backends for database in backend.databases.values()]
    return [database for database in found if isinstance(database, RealInstance)]


def _home(account: str, region: str) -> str:
    """What tells equal names of servers and copies apart."""
    return region if account == OWN_ACCOUNT else f"{account}-{region}"


def _refuse_rotation(database: DBInstance, wanted: dict[str, Any]) -> None:
    if not wanted.get("apply_immediately"):
        reason = "You must specify apply immediately when rotating the master user password."
        raise RDSClientError("InvalidParameterCombination", reason)
    if not database.manage_master_user_password:
        reason = "The master user password is not managed by RDS in Secrets Manager, so RDS cannot rotate it."
        raise RDSClientError("InvalidParameterCombination", reason)
    if database.status != AVAILABLE:
        reason = f"Database instance {database.db_instance_identifier} is not in available state."
        raise RDSClientError("InvalidDBInstanceState", reason)


def _ports_in_use() -> set[int]:
    return {int(database.port or 0) for database in real_instances()}


def _refuse_unsupported(wanted: dict[str, Any]) -> None:
    if wanted.get("engine") != ENGINE:
        raise RDSClientError(
            "InvalidParameterValue", f"The sandbox runs engine postgres only, not {wanted.get('engine')}."
        )
    check_authority(wanted)
    if wanted.get("db_cluster_identifier"):
        raise RDSClientError("InvalidParameterCombination", "The sandbox does not run DB clusters.")
    if not wanted.get("manage_master_user_password") and not wanted.get("master_user_password"):
        raise RDSClientError("InvalidParameterValue", "The parameter MasterUserPassword must be provided.")
    user = str(wanted.get("master_username") or "")
    if not user:
        raise RDSClientError("InvalidParameterValue", "The parameter MasterUsername must be provided.")
