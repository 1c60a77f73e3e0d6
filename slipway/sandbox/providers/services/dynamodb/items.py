"""Items of DynamoDB tables."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function
from slipway.sandbox.providers.framework.resource import Call, Resource


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
        state = call.state
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
            "tableName": state["tableName"],
        }

    def update(self, call: Call, id: str) -> None:
        """Put the new item; an old one with another key goes."""
        client, inputs = call.client("dynamodb"), call.inputs
        client.put_item(TableName=inputs["tableName"], Item=_item(inputs))
        if call.outputs.get("item") and _key(call.outputs) != _key(inputs):
            client.delete_item(TableName=inputs["tableName"], Key=_key(call.outputs))

    def delete(self, call: Call, id: str) -> None:
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


@function("aws:dynamodb/getTableItem:getTableItem")
def get_table_item(call: FunctionCall) -> PropertyMap:
    table, key = call.required("tableName"), call.required("key")
    arguments: dict[str, Any] = {"TableName": table, "Key": json.loads(key), "ConsistentRead": True}
    if names := call.args.get("expressionAttributeNames"):
        arguments["ExpressionAttributeNames"] = names
    if projection := call.args.get("projectionExpression"):
        arguments["ProjectionExpression"] = projection
    item = call.client("dynamodb").get_item(**arguments).get("Item")
    if item is None:
        raise ProviderError(f"reading DynamoDB Table Item ({table}): empty result")
    return {**call.args, "id": f"{table}|{key}", "item": json.dumps(item, default=_bytes_text), "region": call.region}


def _bytes_text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"DynamoDB answered a {type(value).__name__}, which is no JSON")
