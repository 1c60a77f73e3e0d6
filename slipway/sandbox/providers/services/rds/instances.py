"""RDS instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, present
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.rds.base import RdsResource

CREATE_SECONDS = 2400  # Terraform's own limits
CHANGE_SECONDS = 4800
DELETE_SECONDS = 3600
_BROKEN = frozenset({"failed", "incompatible-parameters", "incompatible-network", "storage-full"})

_ARGUMENTS: Mapping[str, str] = {
    "allocatedStorage": "AllocatedStorage",
    "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "backupRetentionPeriod": "BackupRetentionPeriod",
    "backupWindow": "PreferredBackupWindow",
    "caCertIdentifier": "CACertificateIdentifier",
    "copyTagsToSnapshot": "CopyTagsToSnapshot",
    "dbSubnetGroupName": "DBSubnetGroupName",
    "deletionProtection": "DeletionProtection",
    "engineVersion": "EngineVersion",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "instanceClass": "DBInstanceClass",
    "iops": "Iops",
    "licenseModel": "LicenseModel",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "maxAllocatedStorage": "MaxAllocatedStorage",
    "monitoringInterval": "MonitoringInterval",
    "monitoringRoleArn": "MonitoringRoleArn",
    "multiAz": "MultiAZ",
    "networkType": "NetworkType",
    "optionGroupName": "OptionGroupName",
    "parameterGroupName": "DBParameterGroupName",
    "password": "MasterUserPassword",
    "performanceInsightsEnabled": "EnablePerformanceInsights",
    "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
    "performanceInsightsRetentionPeriod": "PerformanceInsightsRetentionPeriod",
    "publiclyAccessible": "PubliclyAccessible",
    "storageThroughput": "StorageThroughput",
    "storageType": "StorageType",
    "vpcSecurityGroupIds": "VpcSecurityGroupIds",
}
"""What CreateDBInstance and ModifyDBInstance call the same."""
_CREATE_ONLY: Mapping[str, str] = {
    "availabilityZone": "AvailabilityZone",
    "characterSetName": "CharacterSetName",
    "dbName": "DBName",
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
    "engine": "Engine",
    "kmsKeyId": "KmsKeyId",
    "manageMasterUserPassword": "ManageMasterUserPassword",
    "masterUserSecretKmsKeyId": "MasterUserSecretKmsKeyId",
    "port": "Port",
    "storageEncrypted": "StorageEncrypted",
    "username": "MasterUsername",
}
_MODIFY_ONLY: Mapping[str, str] = {
    "manageMasterUserPassword": "ManageMasterUserPassword",
    "masterUserSecretKmsKeyId": "MasterUserSecretKmsKeyId",
    "port": "DBPortNumber",
}


class Instance(RdsResource):
    """aws.rds.Instance"""

    token = "aws:rds/instance:Instance"
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
        named = {argument: property_ for property_, argument in {**_ARGUMENTS, **_CREATE_ONLY}.items()}
        call.client("rds").create_db_instance(DBInstanceIdentifier=name, Tags=call.tag_list, **call.given(**named))
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
        """The instance."""
        return shown_instance(call, live)

    @staticmethod
    def _name(call: Call, id: str) -> str:
        return str(call.outputs.get("identifier") or id)

    def update(self, call: Call, id: str) -> None:
        """Modify at once: the sandbox has no maintenance windows, so `applyImmediately` makes no difference."""
        arguments = {
            argument: call.inputs[name]
            for name, argument in {**_ARGUMENTS, **_MODIFY_ONLY}.items()
            if name in call.changed and call.inputs.get(name) is not None
        }
        name = self._name(call, id)
        if call.changes("identifier"):
            arguments["NewDBInstanceIdentifier"] = str(call.inputs["identifier"]).lower()
        if call.changes("enabledCloudwatchLogsExports"):
            old = set(call.old_inputs.get("enabledCloudwatchLogsExports") or [])
            new = set(call.inputs.get("enabledCloudwatchLogsExports") or [])
            arguments["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(new - old),
                "DisableLogTypes": sorted(old - new),
            }
        if not arguments:
            return
        if call.inputs.get("allowMajorVersionUpgrade"):
            arguments["AllowMajorVersionUpgrade"] = True
        call.client("rds").modify_db_instance(DBInstanceIdentifier=name, ApplyImmediately=True, **arguments)
        name = arguments.get("NewDBInstanceIdentifier", name)
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


def shown_instance(call: Call, live: dict[str, Any]) -> PropertyMap:
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
        **present(**{name: live.get(argument) for name, argument in _ARGUMENTS.items()}),
        **present(
            address=address,
            arn=live["DBInstanceArn"],
            availabilityZone=live.get("AvailabilityZone"),
            dbName=live.get("DBName"),
            dbSubnetGroupName=(live.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
            enabledCloudwatchLogsExports=live.get("EnabledCloudwatchLogsExports"),
            endpoint=f"{address}:{port}" if address else None,
            engine=live.get("Engine"),
            engineVersion=given_version if same else actual,
            engineVersionActual=actual,
            hostedZoneId=endpoint.get("HostedZoneId"),
            iamDatabaseAuthenticationEnabled=live.get("IAMDatabaseAuthenticationEnabled"),
            identifier=live["DBInstanceIdentifier"],
            kmsKeyId=live.get("KmsKeyId"),
            listenerEndpoints=[],
            masterUserSecretKmsKeyId=(live.get("MasterUserSecret") or {}).get("KmsKeyId"),
            masterUserSecrets=_shown_secrets(live),
            optionGroupName=options[0].get("OptionGroupName") if options else None,
            parameterGroupName=groups[0].get("DBParameterGroupName") if groups else None,
            performanceInsightsEnabled=live.get("PerformanceInsightsEnabled"),
            replicas=live.get("ReadReplicaDBInstanceIdentifiers") or [],
            resourceId=live.get("DbiResourceId"),
            status=live.get("DBInstanceStatus"),
            storageEncrypted=live.get("StorageEncrypted"),
            tagsAll=tag_map(live.get("TagList")),
            username=live.get("MasterUsername"),
            vpcSecurityGroupIds=[g["VpcSecurityGroupId"] for g in live.get("VpcSecurityGroups") or []],
        ),
        "port": port if port is not None else state.get("port"),
    }


def _shown_secrets(live: dict[str, Any]) -> list[PropertyMap]:
    secret = live.get("MasterUserSecret")
    if not secret:
        return []
    return [
        present(
            kmsKeyId=secret.get("KmsKeyId"), secretArn=secret.get("SecretArn"), secretStatus=secret.get("SecretStatus")
        )
    ]
