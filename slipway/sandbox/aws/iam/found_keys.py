"""Condition keys of a request that only what is there can tell: a table's keys, a key's aliases, a role's boundary.

The caller holds the API's lock. Source: "Actions, resources, and condition keys" of DynamoDB, KMS and IAM, Service Authorization Reference.
"""

# moto is not typed strictly.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.parsing.key_condition_expression import parse_expression

from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.requests import ApiCall
from slipway.sandbox.aws.iam.special_resources import Need, table_arn

Item = Mapping[str, Any]
"""Attributes by name, each a value by its type: `{"pk": {"S": "text"}}`."""


def _leading_keys(call: ApiCall, need: Need) -> tuple[str, ...]:
    """The partition keys that are read or written. None where the call names none, as a scan."""
    schema = known.table_schema(need.resource)
    leading = next((key["AttributeName"] for key in schema if key["KeyType"] == "HASH"), "")
    found = [each[leading] for each in _items(call, need, schema) if leading in each]
    return tuple(dict.fromkeys(_text(value) for value in found))


def _items(call: ApiCall, need: Need, schema: list[dict[str, str]]) -> Iterator[Item]:
    given = call.parameters
    if call.operation == "Query":
        yield _asked(given, schema)
    elif call.operation.startswith("Batch"):
        for table, asked in (given.get("RequestItems") or {}).items():
            if table_arn(call, table) == need.resource:
                requests: list[Any] = asked.get("Keys", []) if isinstance(asked, Mapping) else asked
                for each in requests:
                    yield (
                        (each.get("PutRequest") or {}).get("Item")
                        or (each.get("DeleteRequest") or {}).get("Key")
                        or each
                    )
    elif call.operation.startswith("Transact"):
        for part in (part for item in call.entries("TransactItems") for part in item.values()):
            if table_arn(call, str(part.get("TableName", "*"))) == need.resource:
                yield part.get("Item") or part.get("Key") or {}
    else:
        yield given.get("Key") or given.get("Item") or {}


def _asked(given: Mapping[str, Any], schema: list[dict[str, str]]) -> Item:
    """What a query's conditions say of the keys, as moto will read them."""
    if not given.get("KeyConditionExpression"):
        conditions: Mapping[str, Any] = given.get("KeyConditions") or {}
        return {
            name: each["AttributeValueList"][0] for name, each in conditions.items() if each.get("AttributeValueList")
        }
    try:
        hashes, _, _ = parse_expression(
            key_condition_expression=given["KeyConditionExpression"],
            expression_attribute_values=given.get("ExpressionAttributeValues") or {},
            expression_attribute_names=given.get("ExpressionAttributeNames") or {},
            schema=schema,
        )
    except (MockValidationException, LookupError, ValueError, TypeError):
        return {}
    return dict(hashes)


def _text(value: Mapping[str, Any]) -> str:
    (plain,) = value.values()
    return base64.b64encode(plain).decode() if isinstance(plain, bytes) else str(plain)


def _resource_aliases(_call: ApiCall, need: Need) -> tuple[str, ...]:
    return tuple(known.key_aliases(need.resource)) if ":key/" in need.resource else ()


def _boundary(_call: ApiCall, need: Need) -> tuple[str, ...]:
    """Of the role or user that is changed; one that the call sets comes first (`context.FROM_PARAMETERS`)."""
    found = known.boundary_arn(need.resource)
    return (found,) if found else ()


FROM_WHAT_IS_THERE: Mapping[str, Callable[[ApiCall, Need], tuple[str, ...]]] = {
    "dynamodb:leadingkeys": _leading_keys,
    "iam:permissionsboundary": _boundary,
    "kms:resourcealiases": _resource_aliases,
}
