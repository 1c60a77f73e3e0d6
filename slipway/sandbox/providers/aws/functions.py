"""The functions (data sources) that the provider answers."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.engine.provider import ProviderError
from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.aws.policy_document import render_json, render_policy_document
from slipway.sandbox.providers.aws.resource import present, utc_time
from slipway.sandbox.providers.aws.session import PARTITION, Session

_DNS_SUFFIX = "amazonaws.com"


@dataclass(frozen=True)
class FunctionCall:
    """One call of one function."""

    session: Session
    args: PropertyMap

    @property
    def region(self) -> str:
        """The function's own `region`, else the provider's."""
        return str(self.args.get("region") or self.session.settings.region)

    def client(self, service: str) -> Any:
        """The service's client in the function's region."""
        return self.session.client(service, self.region)

    def required(self, name: str) -> Any:
        """An argument that must be there; ProviderError names it otherwise."""
        if name not in self.args:
            raise ProviderError(f'Missing required argument. The argument "{name}" is required.')
        return self.args[name]


Function = Callable[[FunctionCall], PropertyMap]


def _get_table_item(call: FunctionCall) -> PropertyMap:
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


def _get_secret_version(call: FunctionCall) -> PropertyMap:
    secret_id = call.required("secretId")
    stage = call.args.get("versionStage") or "AWSCURRENT"
    version_id = call.args.get("versionId")
    which = {"VersionId": version_id} if version_id else {"VersionStage": stage}
    answer = call.client("secretsmanager").get_secret_value(SecretId=secret_id, **which)
    binary = answer.get("SecretBinary")
    return {
        "arn": answer["ARN"],
        "createdDate": utc_time(answer.get("CreatedDate")),
        "id": f"{secret_id}|{answer['VersionId']}",
        "region": call.region,
        "secretBinary": base64.b64encode(binary).decode() if binary else "",
        "secretId": secret_id,
        "secretString": answer.get("SecretString", ""),
        "versionId": answer["VersionId"],
        "versionStage": stage,
        "versionStages": answer.get("VersionStages") or [],
    }


def _get_authorization_token(call: FunctionCall) -> PropertyMap:
    registry = call.args.get("registryId")
    answer = call.client("ecr").get_authorization_token(**({"registryIds": [registry]} if registry else {}))
    data = answer["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {
        **present(registryId=registry),
        "authorizationToken": data["authorizationToken"],
        "expiresAt": utc_time(data["expiresAt"]),
        "id": call.region,
        "password": password,
        "proxyEndpoint": data["proxyEndpoint"],
        "region": call.region,
        "userName": user,
    }


def _get_caller_identity(call: FunctionCall) -> PropertyMap:
    identity = call.client("sts").get_caller_identity()
    return {
        "accountId": identity["Account"],
        "arn": identity["Arn"],
        "id": identity["Account"],
        "userId": identity["UserId"],
    }


def _get_region(call: FunctionCall) -> PropertyMap:
    name = str(call.args.get("name") or call.region)
    found = call.client("ec2").describe_regions(RegionNames=[name], AllRegions=True)["Regions"]
    if not found:
        raise ProviderError(f"no region {name}")
    return {
        "description": name,
        "endpoint": str(found[0].get("Endpoint") or f"ec2.{name}.{_DNS_SUFFIX}"),
        "id": name,
        "name": name,
        "region": name,
    }


def _get_partition(call: FunctionCall) -> PropertyMap:  # noqa: ARG001 - there is one partition
    return {
        "dnsSuffix": _DNS_SUFFIX,
        "id": PARTITION,
        "partition": PARTITION,
        "reverseDnsPrefix": ".".join(reversed(_DNS_SUFFIX.split("."))),
    }


def _get_availability_zones(call: FunctionCall) -> PropertyMap:
    args = call.args
    state = args.get("state")
    wanted = [{"Name": f["name"], "Values": list(f["values"])} for f in args.get("filters") or []]
    if state:
        wanted.append({"Name": "state", "Values": [state]})
    answer = call.client("ec2").describe_availability_zones(
        Filters=wanted, AllAvailabilityZones=bool(args.get("allAvailabilityZones"))
    )
    excluded = {*(args.get("excludeNames") or ()), *(args.get("excludeZoneIds") or ())}
    zones = [
        zone
        for zone in sorted(answer["AvailabilityZones"], key=lambda zone: str(zone["ZoneName"]))
        if zone["ZoneName"] not in excluded and zone.get("ZoneId") not in excluded
    ]
    return {
        **args,
        "groupNames": sorted({zone.get("GroupName") or call.region for zone in zones}),
        "id": call.region,
        "names": [zone["ZoneName"] for zone in zones],
        "region": call.region,
        "zoneIds": [zone.get("ZoneId", "") for zone in zones],
    }


def _get_policy_document(call: FunctionCall) -> PropertyMap:
    document = render_policy_document(call.args)
    text = render_json(document)
    return {
        **call.args,
        "id": str(zlib.crc32(text.encode())),  # a checksum of the text, as Terraform's id of it
        "json": text,
        "minifiedJson": render_json(document, minified=True),
        "version": document["Version"],
    }


FUNCTIONS: Mapping[str, Function] = {
    "aws:dynamodb/getTableItem:getTableItem": _get_table_item,
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": _get_authorization_token,
    "aws:iam/getPolicyDocument:getPolicyDocument": _get_policy_document,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _get_availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _get_caller_identity,
    "aws:index/getPartition:getPartition": _get_partition,
    "aws:index/getRegion:getRegion": _get_region,
    "aws:secretsmanager/getSecretVersion:getSecretVersion": _get_secret_version,
}
