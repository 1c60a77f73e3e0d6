"""The partitions of a table that a request names, which policies know as `dynamodb:LeadingKeys`.

Source: "Using IAM policy conditions for fine-grained access control", DynamoDB developer guide. A scan names none.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.parsing.key_condition_expression import parse_expression

CONDITION = "KeyConditionExpression"


def leading_keys(table: Any, asked: Mapping[str, Any]) -> list[str]:
    """The partition keys, each once. `table`: moto's; None for one that does not exist, of which no key is known.

    `asked`: an operation's parameters, or under `Requests` those of a batch for one table.
    """
    if table is None:
        return []
    if "Requests" in asked:
        found = [_text(key[table.hash_key_attr]) for key in _batched(asked["Requests"]) if table.hash_key_attr in key]
    elif CONDITION in asked or "KeyConditions" in asked:
        found = _queried(table, asked)
    else:
        key = asked.get("Key") or asked.get("Item") or {}
        found = [_text(key[table.hash_key_attr])] if table.hash_key_attr in key else []
    return list(dict.fromkeys(found))


def _batched(requests: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(requests, Mapping):
        yield from requests.get("Keys") or ()
        return
    for each in requests or ():
        for kind, part in each.items():
            yield part.get("Item" if kind == "PutRequest" else "Key") or {}


def _queried(table: Any, asked: Mapping[str, Any]) -> list[str]:
    indexes = {each.name: each.schema for each in table.all_indexes()}
    schema = indexes.get(str(asked.get("IndexName"))) or table.schema
    name = next(str(each["AttributeName"]) for each in schema if each["KeyType"] == "HASH")
    if CONDITION not in asked:
        return [_text(value) for value in (asked["KeyConditions"].get(name) or {}).get("AttributeValueList") or ()]
    try:  # as moto will read it
        hashed, _, _ = parse_expression(
            str(asked[CONDITION]),
            dict(asked.get("ExpressionAttributeValues") or {}),
            dict(asked.get("ExpressionAttributeNames") or {}),
            schema,
        )
    except (JsonRESTError, LookupError, ValueError):  # what it cannot read is refused by it
        return []
    return [_text(value) for key, value in hashed if key == name]


def _text(value: Mapping[str, Any]) -> str:
    """An attribute's value: `{"S": "a"}`."""
    return str(next(iter(value.values()), ""))
