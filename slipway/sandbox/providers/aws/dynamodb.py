"""DynamoDB tables and items."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

# ruff: noqa: A002, ARG002 - `id` and `token` are Pulumi's words; a type's tables are constants
import base64
import json
from collections.abc import Iterable
from typing import Any

from slipway.engine.provider import ProviderError
from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.aws.arn_tags import ListTags
from slipway.sandbox.providers.aws.resource import AutoName, Call, Resource, present, tag_map

READY_SECONDS = 1800  # Terraform's own limit


class Table(ListTags):
    """aws.dynamodb.Table"""

    token = "aws:dynamodb/table:Table"
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
        arguments = call.given(
            BillingMode="billingMode", TableClass="tableClass", DeletionProtectionEnabled="deletionProtectionEnabled"
        )
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
        self._wait_active(call, name)
        self._set_extras(call, name, {"ttl", "pointInTimeRecovery"} & inputs.keys())
        return name

    @staticmethod
    def _wait_active(call: Call, name: str) -> None:
        def probe() -> bool:
            table = call.client("dynamodb").describe_table(TableName=name)["Table"]
            indexes = table.get("GlobalSecondaryIndexes") or []
            return table["TableStatus"] == "ACTIVE" and all(
                index.get("IndexStatus", "ACTIVE") == "ACTIVE" for index in indexes
            )

        call.wait(f"table {name} to become active", probe, seconds=READY_SECONDS)

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

    def find(self, call: Call) -> str | None:
        """By name."""
        return call.inputs["name"]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The table."""
        client = call.client("dynamodb")
        table = client.describe_table(TableName=id)["Table"]
        ttl = client.describe_time_to_live(TableName=id)["TimeToLiveDescription"]
        backups = client.describe_continuous_backups(TableName=id)["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription") or {}
        keys = {item["KeyType"]: item["AttributeName"] for item in table["KeySchema"]}
        throughput = table.get("ProvisionedThroughput") or {}
        stream = table.get("StreamSpecification") or {}
        encryption = table.get("SSEDescription") or {}
        return {
            "arn": table["TableArn"],
            "attributes": [
                {"name": item["AttributeName"], "type": item["AttributeType"]} for item in table["AttributeDefinitions"]
            ],
            "billingMode": (table.get("BillingModeSummary") or {}).get("BillingMode") or "PROVISIONED",
            "deletionProtectionEnabled": bool(table.get("DeletionProtectionEnabled")),
            "globalSecondaryIndexes": [_shown_index(item, call) for item in table.get("GlobalSecondaryIndexes") or []],
            "hashKey": keys.get("HASH"),
            "localSecondaryIndexes": [_shown_local(item) for item in table.get("LocalSecondaryIndexes") or []] or None,
            "name": table["TableName"],
            "pointInTimeRecovery": present(
                enabled=recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
                recoveryPeriodInDays=recovery.get("RecoveryPeriodInDays"),
            ),
            "rangeKey": keys.get("RANGE"),
            "readCapacity": int(throughput.get("ReadCapacityUnits") or 0),
            "region": call.region,
            "serverSideEncryption": present(
                enabled=encryption.get("Status") == "ENABLED", kmsKeyArn=encryption.get("KMSMasterKeyArn")
            ),
            "streamArn": table.get("LatestStreamArn") or "",
            "streamEnabled": bool(stream.get("StreamEnabled")),
            "streamLabel": table.get("LatestStreamLabel") or "",
            "streamViewType": stream.get("StreamViewType") or "",
            "tableClass": (table.get("TableClassSummary") or {}).get("TableClass") or "STANDARD",
            "tagsAll": tag_map(client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]),
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
            self._wait_active(call, name)
        self._set_extras(call, name, {extra for extra in ("ttl", "pointInTimeRecovery") if call.changes(extra)})

    def delete(self, call: Call, id: str) -> None:
        """Delete and wait until it is gone."""
        client = call.client("dynamodb")
        client.delete_table(TableName=id)

        def is_gone() -> bool:
            try:
                client.describe_table(TableName=id)
            except client.exceptions.ResourceNotFoundException:
                return True
            return False

        call.wait(f"table {id} to be deleted", is_gone, seconds=READY_SECONDS)


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
    items = {**call.outputs, **call.inputs}.get("globalSecondaryIndexes") or []
    given = next((item for item in items if item["name"] == shown["name"]), None)
    shown = {key: value for key, value in shown.items() if key != "keySchemas" or (given and "keySchemas" in given)}
    return {key: value for key, value in shown.items() if given is None or key in given}


def _api_encryption(encryption: PropertyMap | None) -> dict[str, Any] | None:
    if not encryption or not encryption.get("enabled"):
        return None
    return present(Enabled=True, SSEType="KMS", KMSMasterKeyId=encryption.get("kmsKeyArn"))


class TableItem(Resource):
    """aws.dynamodb.TableItem"""

    token = "aws:dynamodb/tableItem:TableItem"
    force_new = frozenset({"tableName", "hashKey", "rangeKey"})
    json_properties = frozenset({"item"})
    conflict_codes = frozenset({"ConditionalCheckFailedException"})

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """The item is DynamoDB's JSON and holds its keys."""
        text = inputs.get("item")
        if not isinstance(text, str):
            return
        try:
            item = json.loads(text)
        except ValueError as error:
            yield "item", f"invalid format of item: {error}"
            return
        for name in ("hashKey", "rangeKey"):
            if isinstance(inputs.get(name), str) and inputs[name] not in item:
                yield "item", f"the item has no {inputs[name]}, which is its {name}"

    def create(self, call: Call) -> str:
        """Put, unless there is one with this key."""
        inputs = call.inputs
        call.client("dynamodb").put_item(
            TableName=inputs["tableName"],
            Item=_item(inputs),
            ConditionExpression="attribute_not_exists(#hk)",
            ExpressionAttributeNames={"#hk": inputs["hashKey"]},
        )
        return self._id(inputs)

    @staticmethod
    def _id(inputs: PropertyMap) -> str:
        item = json.loads(inputs["item"])
        parts = [inputs["tableName"]]
        for name in ("hashKey", "rangeKey"):
            if inputs.get(name):
                value = item[inputs[name]]
                parts += [inputs[name], *(str(value.get(kind, "")) for kind in ("B", "S", "N"))]
        return "|".join(parts)

    def find(self, call: Call) -> str | None:
        """By key."""
        return self._id(call.inputs)

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The item, by the key in the state."""
        state = {**call.outputs, **call.inputs}
        if not state.get("item"):
            raise ProviderError(f"{self.token}: {id} cannot be read by its id alone")
        source = call.outputs if call.outputs.get("item") else state
        live = call.client("dynamodb").get_item(TableName=state["tableName"], Key=_key(source), ConsistentRead=True)
        if "Item" not in live:
            # An update may have changed the key: then the new inputs say where it is.
            live = call.client("dynamodb").get_item(TableName=state["tableName"], Key=_key(state), ConsistentRead=True)
        if "Item" not in live:
            return None
        return {
            "hashKey": state["hashKey"],
            "item": json.dumps(live["Item"], default=_bytes_text, separators=(",", ":")),
            "rangeKey": state.get("rangeKey"),
            "region": call.region,
            "tableName": state["tableName"],
        }

    def update(self, call: Call, id: str) -> None:
        """Put the new item; an old one with another key goes."""
        client, inputs = call.client("dynamodb"), call.inputs
        client.put_item(TableName=inputs["tableName"], Item=_item(inputs))
        if call.outputs.get("item") and _key(call.outputs) != _key(inputs):
            client.delete_item(TableName=inputs["tableName"], Key=_key(call.outputs))

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        state = {**call.inputs, **call.outputs}
        call.client("dynamodb").delete_item(TableName=state["tableName"], Key=_key(state))


def _item(inputs: PropertyMap) -> dict[str, Any]:
    """boto3's form of DynamoDB's JSON: binary values as bytes."""
    return {name: _decoded(value) for name, value in json.loads(inputs["item"]).items()}


def _decoded(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        kind, content = next(iter(value.items()))
        if kind == "B":
            return {"B": base64.b64decode(content)}
        if kind == "BS":
            return {"BS": [base64.b64decode(item) for item in content]}
        if kind == "L":
            return {"L": [_decoded(item) for item in content]}
        if kind == "M":
            return {"M": {name: _decoded(item) for name, item in content.items()}}
    return value


def _key(state: PropertyMap) -> dict[str, Any]:
    item = _item(state)
    return {state[name]: item[state[name]] for name in ("hashKey", "rangeKey") if state.get(name)}


def _bytes_text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"DynamoDB answered a {type(value).__name__}, which is no JSON")


RESOURCES = (Table(), TableItem())
