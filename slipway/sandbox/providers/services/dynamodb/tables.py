"""DynamoDB tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import argument, looked_up
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, Resource, present
from slipway.sandbox.providers.framework.tags import Tagging, tag_map

READY_SECONDS = 1800  # Terraform's own limit


class Table(Resource):
    """aws.dynamodb.Table"""

    token = "aws:dynamodb/table:Table"
    lookup = Lookup("describe_table", "TableName", "Table")
    deletion = "delete_table"
    id_arguments = ("TableName",)
    delete_seconds = READY_SECONDS
    found_by_name = True
    tagging = Tagging()
    service = "dynamodb"
    force_new = frozenset({"name", "hashKey", "rangeKey", "localSecondaryIndexes"})
    defaults = {"billingMode": "PROVISIONED"}
    auto_name = AutoName()
    enums = {
        "billingMode": ("PROVISIONED", "PAY_PER_REQUEST"),
        "tableClass": ("STANDARD", "STANDARD_INFREQUENT_ACCESS"),
    }
    conflict_codes = frozenset({"ResourceInUseException"})
    unsupported = frozenset(
        {
            "globalTableWitness",
            "importTable",
            "onDemandThroughput",
            "replicas",
            "restoreBackupArn",
            "restoreDateTime",
            "restoreSourceName",
            "restoreSourceTableArn",
            "restoreToLatestTime",
            "warmThroughput",
        }
    )

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """Keys and throughput that belong together."""
        if "hashKey" not in inputs:
            yield "hashKey", "hashKey is required to create a table"
        names = {item.get("name") for item in inputs.get("attributes") or [] if isinstance(item, dict)}
        for key in ("hashKey", "rangeKey"):
            if isinstance(inputs.get(key), str) and names and inputs[key] not in names:
                yield key, f"{inputs[key]} is not among attributes"
        if inputs.get("billingMode") == "PROVISIONED" and not (
            inputs.get("readCapacity") and inputs.get("writeCapacity")
        ):
            yield "readCapacity", "readCapacity and writeCapacity must be at least 1 when billingMode is PROVISIONED"

    def create(self, call: Call) -> str:
        """Create, wait until it is active, then set what CreateTable does not take."""
        inputs, name = call.inputs, str(call.inputs["name"])
        arguments = call.given("billingMode", "tableClass", "deletionProtectionEnabled")
        if inputs["billingMode"] == "PROVISIONED":
            arguments["ProvisionedThroughput"] = _throughput(inputs)
        if indexes := inputs.get("globalSecondaryIndexes"):
            arguments["GlobalSecondaryIndexes"] = [_api_global(index, inputs["billingMode"]) for index in indexes]
        if indexes := inputs.get("localSecondaryIndexes"):
            arguments["LocalSecondaryIndexes"] = [
                _api_index({**index, "hashKey": inputs["hashKey"]}) for index in indexes
            ]
        if inputs.get("streamEnabled"):
            arguments["StreamSpecification"] = {
                "StreamEnabled": True,
                "StreamViewType": inputs.get("streamViewType") or "NEW_AND_OLD_IMAGES",
            }
        if encryption := _api_encryption(inputs.get("serverSideEncryption")):
            arguments["SSESpecification"] = encryption
        call.client("dynamodb").create_table(
            TableName=name,
            AttributeDefinitions=_definitions(inputs),
            KeySchema=_key_schema(inputs),
            Tags=call.tag_list,
            **arguments,
        )
        self.wait_ready(call, name, READY_SECONDS)
        self._set_extras(call, name, {"ttl", "pointInTimeRecovery"} & inputs.keys())
        return name

    def is_ready(self, id: str, live: dict[str, Any]) -> bool:
        """With its indexes."""
        indexes = live.get("GlobalSecondaryIndexes") or []
        return live["TableStatus"] == "ACTIVE" and all(
            index.get("IndexStatus", "ACTIVE") == "ACTIVE" for index in indexes
        )

    @staticmethod
    def _set_extras(call: Call, name: str, names: set[str]) -> None:
        client = call.client("dynamodb")
        if "ttl" in names:
            ttl = call.inputs.get("ttl") or {**(call.outputs.get("ttl") or {}), "enabled": False}
            if ttl.get("attributeName"):
                specification = {"Enabled": bool(ttl.get("enabled")), "AttributeName": ttl["attributeName"]}
                client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
        if "pointInTimeRecovery" in names:
            recovery = call.inputs.get("pointInTimeRecovery") or {}
            specification = present(
                PointInTimeRecoveryEnabled=bool(recovery.get("enabled")),
                RecoveryPeriodInDays=recovery.get("recoveryPeriodInDays"),
            )
            client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The table."""
        client = call.client("dynamodb")
        ttl = client.describe_time_to_live(TableName=id)["TimeToLiveDescription"]
        backups = client.describe_continuous_backups(TableName=id)["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription") or {}
        keys = {item["KeyType"]: item["AttributeName"] for item in live["KeySchema"]}
        throughput = live.get("ProvisionedThroughput") or {}
        stream = live.get("StreamSpecification") or {}
        encryption = live.get("SSEDescription") or {}
        return {
            "arn": live["TableArn"],
            "attributes": [
                {"name": item["AttributeName"], "type": item["AttributeType"]} for item in live["AttributeDefinitions"]
            ],
            "billingMode": (live.get("BillingModeSummary") or {}).get("BillingMode") or "PROVISIONED",
            "deletionProtectionEnabled": bool(live.get("DeletionProtectionEnabled")),
            "globalSecondaryIndexes": [_shown_index(item, call) for item in live.get("GlobalSecondaryIndexes") or []],
            "hashKey": keys.get("HASH"),
            "localSecondaryIndexes": [_shown_local(item) for item in live.get("LocalSecondaryIndexes") or []] or None,
            "name": live["TableName"],
            "pointInTimeRecovery": present(
                enabled=recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
                recoveryPeriodInDays=recovery.get("RecoveryPeriodInDays"),
            ),
            "rangeKey": keys.get("RANGE"),
            "readCapacity": int(throughput.get("ReadCapacityUnits") or 0),
            "serverSideEncryption": present(
                enabled=encryption.get("Status") == "ENABLED", kmsKeyArn=encryption.get("KMSMasterKeyArn")
            ),
            "streamArn": live.get("LatestStreamArn") or "",
            "streamEnabled": bool(stream.get("StreamEnabled")),
            "streamLabel": live.get("LatestStreamLabel") or "",
            "streamViewType": stream.get("StreamViewType") or "",
            "tableClass": (live.get("TableClassSummary") or {}).get("TableClass") or "STANDARD",
            "tagsAll": tag_map(client.list_tags_of_resource(ResourceArn=live["TableArn"])["Tags"]),
            "ttl": {"attributeName": ttl.get("AttributeName", ""), "enabled": ttl.get("TimeToLiveStatus") == "ENABLED"},
            "writeCapacity": int(throughput.get("WriteCapacityUnits") or 0),
        }

    def update(self, call: Call, id: str) -> None:
        """Each change is a call of its own: DynamoDB refuses most of them together."""
        inputs, name = call.inputs, id
        changes: list[dict[str, Any]] = []
        if call.changes("billingMode", "readCapacity", "writeCapacity"):
            if inputs["billingMode"] == "PROVISIONED":
                changes.append({"BillingMode": "PROVISIONED", "ProvisionedThroughput": _throughput(inputs)})
            elif call.changes("billingMode"):
                changes.append({"BillingMode": inputs["billingMode"]})
        if call.changes("streamEnabled", "streamViewType"):
            enabled = bool(inputs.get("streamEnabled"))
            view = {"StreamViewType": inputs.get("streamViewType") or "NEW_AND_OLD_IMAGES"} if enabled else {}
            changes.append({"StreamSpecification": {"StreamEnabled": enabled, **view}})
        if call.changes("tableClass") and inputs.get("tableClass"):
            changes.append({"TableClass": inputs["tableClass"]})
        if call.changes("deletionProtectionEnabled"):
            changes.append({"DeletionProtectionEnabled": bool(inputs.get("deletionProtectionEnabled"))})
        if call.changes("serverSideEncryption"):
            changes.append(
                {"SSESpecification": _api_encryption(inputs.get("serverSideEncryption")) or {"Enabled": False}}
            )
        if call.changes("globalSecondaryIndexes"):
            changes += _index_changes(call)
        for change in changes:
            call.client("dynamodb").update_table(TableName=name, **change)
            self.wait_ready(call, name, READY_SECONDS)
        self._set_extras(call, name, {extra for extra in ("ttl", "pointInTimeRecovery") if call.changes(extra)})


def _throughput(inputs: PropertyMap) -> dict[str, int]:
    return {
        "ReadCapacityUnits": inputs.get("readCapacity") or 1,
        "WriteCapacityUnits": inputs.get("writeCapacity") or 1,
    }


def _definitions(inputs: PropertyMap) -> list[dict[str, str]]:
    return [{"AttributeName": item["name"], "AttributeType": item["type"]} for item in inputs.get("attributes") or []]


def _key_schema(item: PropertyMap) -> list[dict[str, str]]:
    if item.get("keySchemas"):
        return [{"AttributeName": key["attributeName"], "KeyType": key["keyType"]} for key in item["keySchemas"]]
    keys = {"HASH": item.get("hashKey"), "RANGE": item.get("rangeKey")}
    return [{"AttributeName": name, "KeyType": kind} for kind, name in keys.items() if name]


def _api_index(index: PropertyMap) -> dict[str, Any]:
    projection = present(
        ProjectionType=index["projectionType"], NonKeyAttributes=list(index.get("nonKeyAttributes") or []) or None
    )
    return {"IndexName": index["name"], "KeySchema": _key_schema(index), "Projection": projection}


def _api_global(index: PropertyMap, billing_mode: str) -> dict[str, Any]:
    provisioned = {"ProvisionedThroughput": _throughput(index)} if billing_mode == "PROVISIONED" else {}
    return {**_api_index(index), **provisioned}


def _index_changes(call: Call) -> list[dict[str, Any]]:
    """Removed indexes go, new ones come; a changed one is made anew, as Terraform does."""
    old = {index["name"]: index for index in call.old_inputs.get("globalSecondaryIndexes") or []}
    new = {index["name"]: index for index in call.inputs.get("globalSecondaryIndexes") or []}
    gone = [name for name in old if old[name] != new.get(name)]
    made = [name for name in new if new[name] != old.get(name)]
    mode = call.inputs["billingMode"]
    return [
        *({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]} for name in gone),
        *(
            {
                "AttributeDefinitions": _definitions(call.inputs),
                "GlobalSecondaryIndexUpdates": [{"Create": _api_global(new[name], mode)}],
            }
            for name in made
        ),
    ]


def _shown_local(index: dict[str, Any]) -> PropertyMap:
    keys = {item["KeyType"]: item["AttributeName"] for item in index["KeySchema"]}
    return present(
        name=index["IndexName"],
        nonKeyAttributes=index["Projection"].get("NonKeyAttributes"),
        projectionType=index["Projection"]["ProjectionType"],
        rangeKey=keys.get("RANGE"),
    )


def _shown_index(index: dict[str, Any], call: Call) -> PropertyMap:
    """With the keys that the program wrote for the index of this name, so that equal ones look equal."""
    throughput = index.get("ProvisionedThroughput") or {}
    keys = {item["KeyType"]: item["AttributeName"] for item in index["KeySchema"]}
    shown = {
        **_shown_local(index),
        **present(
            hashKey=keys.get("HASH"),
            readCapacity=throughput.get("ReadCapacityUnits"),
            writeCapacity=throughput.get("WriteCapacityUnits"),
            keySchemas=[{"attributeName": k["AttributeName"], "keyType": k["KeyType"]} for k in index["KeySchema"]],
        ),
    }
    items = call.state.get("globalSecondaryIndexes") or []
    given = next((item for item in items if item["name"] == shown["name"]), None)
    shown = {key: value for key, value in shown.items() if key != "keySchemas" or (given and "keySchemas" in given)}
    return {key: value for key, value in shown.items() if given is None or key in given}


def _api_encryption(encryption: PropertyMap | None) -> dict[str, Any] | None:
    if not encryption or not encryption.get("enabled"):
        return None
    return present(Enabled=True, SSEType="KMS", KMSMasterKeyId=encryption.get("kmsKeyArn"))


get_table = looked_up("aws:dynamodb/getTable:getTable", Table(), argument("name"))
