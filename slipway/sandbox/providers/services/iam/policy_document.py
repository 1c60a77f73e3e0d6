"""IAM policy documents, rendered as `aws.iam.get_policy_document` does."""

from __future__ import annotations

import json
import zlib
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function

_VERSION = "2012-10-17"


def render_policy_document(args: PropertyMap) -> dict[str, Any]:
    """The document that the arguments of `getPolicyDocument` describe, merged with its source and override documents."""
    own = [_statement(entry) for entry in args.get("statements") or []]
    _refuse_duplicate_sids(own, "statement")
    statements: list[dict[str, Any]] = []
    version, policy_id = args.get("version") or _VERSION, args.get("policyId") or ""
    for text in args.get("sourcePolicyDocuments") or []:
        source = _load(text, "sourcePolicyDocuments")
        statements += _listed(source.get("Statement"))
        policy_id = policy_id or source.get("Id", "")
    _refuse_duplicate_sids(statements, "sourcePolicyDocuments")
    statements = _merge(statements, own)
    for text in args.get("overridePolicyDocuments") or []:
        statements = _merge(statements, _listed(_load(text, "overridePolicyDocuments").get("Statement")))
    document: dict[str, Any] = {"Version": version}
    if policy_id:
        document["Id"] = policy_id
    if statements:
        document["Statement"] = statements
    return document


def render_json(document: dict[str, Any], *, minified: bool = False) -> str:
    """The document's text, escaped as Go's encoder does, so that it equals the bridged provider's byte for byte."""
    text = (
        json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        if minified
        else json.dumps(document, indent=2, ensure_ascii=False)
    )
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _load(text: str, where: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError as error:
        raise ProviderError(f"{where}: not a JSON document: {error}") from None


def _listed(value: Any) -> list[dict[str, Any]]:
    return list(value) if isinstance(value, list) else [value] if value else []


def _refuse_duplicate_sids(statements: list[dict[str, Any]], where: str) -> None:
    seen: set[str] = set()
    for statement in statements:
        sid = statement.get("Sid", "")
        if sid and sid in seen:
            raise ProviderError(f"{where}: duplicate Sid ({sid}); remove it or make it unique")
        seen.add(sid)


def _merge(base: list[dict[str, Any]], newer: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`newer` replaces statements with its Sid, and is appended otherwise."""
    result = list(base)
    for statement in newer:
        sid = statement.get("Sid", "")
        index = next((i for i, old in enumerate(result) if sid and old.get("Sid") == sid), None)
        if index is None:
            result.append(statement)
        else:
            result[index] = statement
    return result


def _statement(entry: PropertyMap) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if entry.get("sid"):
        result["Sid"] = entry["sid"]
    result["Effect"] = entry.get("effect") or "Allow"
    lists = {"Action": "actions", "NotAction": "notActions", "Resource": "resources", "NotResource": "notResources"}
    for key, name in lists.items():
        if entry.get(name):
            result[key] = _strings([_variables(v) for v in entry[name]])
    for key, name in {"Principal": "principals", "NotPrincipal": "notPrincipals"}.items():
        if entry.get(name):
            result[key] = _principals(entry[name])
    if entry.get("conditions"):
        result["Condition"] = _conditions(entry["conditions"])
    return result


def _strings(values: list[str]) -> str | list[str]:
    unique = sorted(
        set(values), reverse=True
    )  # the provider sorts downwards; kept, so that documents are equal as text
    return unique[0] if len(unique) == 1 else unique


def _variables(text: str) -> str:
    return text.replace("&{", "${")


def _principals(entries: list[PropertyMap]) -> Any:
    if len(entries) == 1 and entries[0]["type"] == "*" and entries[0]["identifiers"] == ["*"]:
        return "*"
    merged: dict[str, list[str]] = {}
    for entry in entries:
        merged.setdefault(entry["type"], []).extend(_variables(v) for v in entry["identifiers"])
    return {kind: _strings(values) for kind, values in sorted(merged.items())}


def _conditions(entries: list[PropertyMap]) -> dict[str, Any]:
    tests: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        values = [_variables(v) for v in entry.get("values") or []]
        tests.setdefault(entry["test"], {}).setdefault(_variables(entry["variable"]), []).extend(values)
    return {
        test: {name: values[0] if len(values) == 1 else values for name, values in sorted(variables.items())}
        for test, variables in sorted(tests.items())
    }


@function("aws:iam/getPolicyDocument:getPolicyDocument")
def get_policy_document(call: FunctionCall) -> PropertyMap:
    document = render_policy_document(call.args)
    text = render_json(document)
    return {
        **call.args,
        "id": str(zlib.crc32(text.encode())),  # a checksum of the text, as Terraform's id of it
        "json": text,
        "minifiedJson": render_json(document, minified=True),
        "version": document["Version"],
    }
