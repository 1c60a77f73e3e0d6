"""RDS instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, present
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.framework.wire import api_arguments
from slipway.sandbox.providers.services.rds.base import RdsResource

CREATE_SECONDS = 2400  # Terraform's own limits
CHANGE_SECONDS = 4800
DELETE_SECONDS = 3600
_BROKEN = frozenset({"failed", "incompatible-parameters", "incompatible-network", "storage-full"})

_RENAMED: Mapping[str, str] = {
    "CACertificateIdentifier": "caCertIdentifier",
    "DBInstanceClass": "instanceClass",
    "DBParameterGroupName": "parameterGroupName",
    "EnableIAMDatabaseAuthentication": "iamDatabaseAuthenticationEnabled",
    "EnablePerformanceInsights": "performanceInsightsEnabled",
    "MasterUserPassword": "password",
    "PreferredBackupWindow": "backupWindow",
    "PreferredMaintenanceWindow": "maintenanceWindow",
}
"""What CreateDBInstance and ModifyDBInstance call otherwise than the properties."""
_CREATED = {"EnableCloudwatchLogsExports": "enabledCloudwatchLogsExports", "MasterUsername": "username"}


class Instance(RdsResource):
    """aws.rds.Instance"""

    token = "aws:rds/instance:Instance"
    tells_all = False
    lookup = Lookup("describe_db_instances", "DBInstanceIdentifier", "DBInstances")
    deletion = "delete_db_instance"
    id_arguments = ("DBInstanceIdentifier",)
    delete_seconds = DELETE_SECONDS
    force_new = frozenset(
        {
            "availabilityZone",
            "characterSetName",
            "dbName",
            "engine",
            "identifierPrefix",
            "kmsKeyId",
            "storageEncrypted",
            "username",
        }
    )
    defaults = {
        "applyImmediately": False,
        "autoMinorVersionUpgrade": True,
        "copyTagsToSnapshot": False,
        "deleteAutomatedBackups": True,
        "monitoringInterval": 0,
        "performanceInsightsEnabled": False,
        "publiclyAccessible": False,
        "skipFinalSnapshot": False,
    }
    auto_name = AutoName(property="identifier", max_length=63, lower=True)
    conflicts = (("password", "manageMasterUserPassword", "passwordWo"),)
    conflict_codes = frozenset({"DBInstanceAlreadyExists"})
    secret = frozenset({"password"})
    write_only = frozenset(
        {
            "allowMajorVersionUpgrade",
            "applyImmediately",
            "deleteAutomatedBackups",
            "finalSnapshotIdentifier",
            "password",
            "port",  # the sandbox listens on a port of its own; outputs tell it, inputs keep the one asked for
            "skipFinalSnapshot",
        }
    )
    unsupported = frozenset(
        {
            "backupTarget",
            "blueGreenUpdate",
            "customIamInstanceProfile",
            "customerOwnedIpEnabled",
            "databaseInsightsMode",
            "dedicatedLogVolume",
            "domain",
            "domainAuthSecretArn",
            "domainDnsIps",
            "domainFqdn",
            "domainIamRoleName",
            "domainOu",
            "engineLifecycleSupport",
            "ncharCharacterSetName",
            "passwordWo",
            "passwordWoVersion",
            "replicaMode",
            "replicateSourceDb",
            "restoreToPointInTime",
            "s3Import",
            "snapshotIdentifier",
            "timezone",
            "upgradeStorageConfig",
            "warningEventCategories",
        }
    )

    def check(self, inputs: PropertyMap) -> list[tuple[str, str]]:
        """What a new instance needs."""
        missing = [name for name in ("allocatedStorage", "engine", "username") if name not in inputs]
        failures = [(name, f'"{name}" is required to create a DB instance') for name in missing]
        if not inputs.get("manageMasterUserPassword") and "password" not in inputs:
            failures.append(("password", "one of password, manageMasterUserPassword must be given"))
        return failures

    def create(self, call: Call) -> str:
        """Create and wait until it takes connections."""
        name = self.new_name(call)
        rds = call.client("rds")
        named = api_arguments(rds, "create_db_instance", call.inputs, **_RENAMED, **_CREATED)
        rds.create_db_instance(**{**named, "DBInstanceIdentifier": name, "Tags": call.tag_list})
        self.wait_ready(call, name, CREATE_SECONDS)
        return name

    def is_ready(self, id: str, live: dict[str, Any]) -> bool:
        """As soon as it takes connections."""
        if live["DBInstanceStatus"] in _BROKEN:
            raise ProviderError(f"DB instance {id} is {live['DBInstanceStatus']}")
        return live["DBInstanceStatus"] == "available"

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The instance. Its id is its identifier, which an update may change: the outputs know the newer one."""
        return super().read(call, self._name(call, id))

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The outputs; what the endpoint does not tell is left out, and stays as given."""
        endpoint = live.get("Endpoint") or {}
        address, port = endpoint.get("Address"), endpoint.get("Port")
        actual = str(live.get("EngineVersion") or "")
        state = call.state
        given_version = str(state.get("engineVersion") or "")
        # `15` asks for any 15.x: the version that runs is told by engineVersionActual.
        same = bool(given_version) and (actual == given_version or actual.startswith(f"{given_version}."))
        groups = live.get("DBParameterGroups") or []
        options = live.get("OptionGroupMemberships") or []
        return {
            **present(
                address=address,
                arn=live["DBInstanceArn"],
                backupWindow=live.get("PreferredBackupWindow"),
                caCertIdentifier=live.get("CACertificateIdentifier"),
                dbSubnetGroupName=(live.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
                endpoint=f"{address}:{port}" if address else None,
                hostedZoneId=endpoint.get("HostedZoneId"),
                identifier=live["DBInstanceIdentifier"],
                instanceClass=live.get("DBInstanceClass"),
                maintenanceWindow=live.get("PreferredMaintenanceWindow"),
                masterUserSecretKmsKeyId=(live.get("MasterUserSecret") or {}).get("KmsKeyId"),
                optionGroupName=options[0].get("OptionGroupName") if options else None,
                parameterGroupName=groups[0].get("DBParameterGroupName") if groups else None,
                resourceId=live.get("DbiResourceId"),
                status=live.get("DBInstanceStatus"),
                username=live.get("MasterUsername"),
            ),
            "engineVersion": given_version if same else actual,
            "engineVersionActual": actual,
            "listenerEndpoints": [],
            "masterUserSecrets": _shown_secrets(live),
            "replicas": live.get("ReadReplicaDBInstanceIdentifiers") or [],
            "tagsAll": tag_map(live.get("TagList")),
            "vpcSecurityGroupIds": [g["VpcSecurityGroupId"] for g in live.get("VpcSecurityGroups") or []],
            "port": port if port is not None else state.get("port"),
        }

    @staticmethod
    def _name(call: Call, id: str) -> str:
        return str(call.outputs.get("identifier") or id)

    def update(self, call: Call, id: str) -> None:
        """Modify at once: the sandbox has no maintenance windows, so `applyImmediately` makes no difference."""
        rds, changed = call.client("rds"), {name: call.inputs.get(name) for name in call.changed}
        changes = api_arguments(rds, "modify_db_instance", changed, **{**_RENAMED, "DBPortNumber": "port"})
        name = self._name(call, id)
        if call.changes("identifier"):
            changes["NewDBInstanceIdentifier"] = str(call.inputs["identifier"]).lower()
        if call.changes("enabledCloudwatchLogsExports"):
            old = set(call.old_inputs.get("enabledCloudwatchLogsExports") or [])
            new = set(call.inputs.get("enabledCloudwatchLogsExports") or [])
            changes["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(new - old),
                "DisableLogTypes": sorted(old - new),
            }
        for switch in ("AllowMajorVersionUpgrade", "ApplyImmediately"):
            changes.pop(switch, None)  # how to change, not what
        if not changes:
            return
        if call.inputs.get("allowMajorVersionUpgrade"):
            changes["AllowMajorVersionUpgrade"] = True
        rds.modify_db_instance(DBInstanceIdentifier=name, ApplyImmediately=True, **changes)
        name = changes.get("NewDBInstanceIdentifier", name)
        call.outputs = {**call.outputs, "identifier": name}
        self.wait_ready(call, name, CHANGE_SECONDS)

    def delete(self, call: Call, id: str) -> None:
        """Delete, with a last snapshot unless it is skipped, and wait until it is gone."""
        state, name = call.state, self._name(call, id)
        skip = bool(state.get("skipFinalSnapshot"))
        if not skip and not state.get("finalSnapshotIdentifier"):
            raise ProviderError(f"{self.token}: finalSnapshotIdentifier is required unless skipFinalSnapshot is true")
        last = {} if skip else {"FinalDBSnapshotIdentifier": state["finalSnapshotIdentifier"]}
        keep = state.get("deleteAutomatedBackups") is False
        self.delete_when_free(call, name, SkipFinalSnapshot=skip, DeleteAutomatedBackups=not keep, **last)
        self.wait_gone(call, name)


def _shown_secrets(live: dict[str, Any]) -> list[PropertyMap]:
    secret = live.get("MasterUserSecret")
    if not secret:
        return []
    return [
        present(
            kmsKeyId=secret.get("KmsKeyId"), secretArn=secret.get("SecretArn"), secretStatus=secret.get("SecretStatus")
        )
    ]
