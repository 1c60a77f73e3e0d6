"""Calls whose resources the reference's table does not tell: looked up by name, several actions at once, or one for each item."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlparse

from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.actions import VERSIONED, action_of
from slipway.sandbox.aws.iam.leading_keys import leading_keys
from slipway.sandbox.aws.iam.reference import resource_types
from slipway.sandbox.aws.iam.requests import ApiCall


@dataclass(frozen=True)
class Need:
    """One action on one resource, with condition keys that only this one has."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()
    """A key of several values stands there several times."""


Special = Callable[[ApiCall], list[Need] | None]
"""None: as the table says."""

EC2_IDS = {
    "acl": "network-acl", "ami": "image", "dopt": "dhcp-options", "eipalloc": "elastic-ip", "eni": "network-interface",
    "fl": "vpc-flow-log", "i": "instance", "igw": "internet-gateway", "lt": "launch-template", "nat": "natgateway",
    "rtb": "route-table", "sg": "security-group", "sgr": "security-group-rule", "snap": "snapshot", "subnet": "subnet",
    "vol": "volume", "vpc": "vpc", "vpce": "vpc-endpoint",
}  # fmt: skip
ITEM_ACTIONS = frozenset(
    f"dynamodb:{name}"
    for name in (
        *("BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan"),
        "UpdateItem",
    )
)
TRANSACTION_ACTIONS = {
    "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem",
}  # fmt: skip


def _s3(call: ApiCall) -> list[Need] | None:
    bucket, key = call.text("Bucket"), call.text("Key")
    if not bucket:
        return None
    action, needs = action_of(call), list[Need]()
    kinds = {each.arn.partition(":::")[2] for each in resource_types("s3", action) or ()}
    arn = f"arn:aws:s3:::{bucket}"
    if call.operation == "DeleteObjects":
        for each in call.entries("Delete", "Objects") or [{"Key": "*"}]:
            name = VERSIONED["DeleteObject"] if each.get("VersionId") else "DeleteObject"
            needs.append(Need(f"s3:{name}", f"{arn}/{each.get('Key', '*')}"))
        return needs
    about_object = "${BucketName}/${ObjectName}" in kinds or (bool(key) and not kinds)
    needs.append(Need(f"s3:{action}", f"{arn}/{key}" if about_object else arn))
    source = call.text("CopySource")
    if source:
        needs.append(_copied(source))
    if action == "PutObject":
        given = {name for name, value in call.parameters.items() if value is not None}
        if "ACL" in given or any(name.startswith("Grant") for name in given):
            needs.append(Need("s3:PutObjectAcl", f"{arn}/{key}"))
        if "Tagging" in given:
            needs.append(Need("s3:PutObjectTagging", f"{arn}/{key}"))
    return needs


def _copied(source: str) -> Need:
    """Reading what is copied, as moto understands the header: as an address, in which `//bucket` is a host."""
    try:
        address = urlparse(source)
    except ValueError:
        return Need("s3:GetObject", "arn:aws:s3:::*")
    name = "GetObjectVersion" if "versionId" in parse_qs(address.query) else "GetObject"
    return Need(f"s3:{name}", f"arn:aws:s3:::{unquote(address.path).lstrip('/')}")


def _sqs(call: ApiCall) -> list[Need] | None:
    name = (call.text("QueueUrl") or call.text("QueueName") or call.path).rpartition("/")[2]
    if not name or not resource_types("sqs", action_of(call)):
        return None
    return [Need(f"sqs:{action_of(call)}", f"arn:aws:sqs:{call.region}:{call.serving_account}:{name}")]


def _kms(call: ApiCall) -> list[Need] | None:
    needs = _key_needs(call)
    return needs and [
        replace(each, context=tuple(("kms:resourcealiases", alias) for alias in known.key_aliases(each.resource)))
        for each in needs
    ]


def _key_needs(call: ApiCall) -> list[Need] | None:
    given, types = call.parameters, resource_types("kms", call.operation) or ()
    if call.operation == "ReEncrypt":
        # As with Decrypt, whatever SourceKeyId says.
        source = known.key_of_ciphertext(given.get("CiphertextBlob"))
        destination = call.text("DestinationKeyId")
        return [Need("kms:ReEncryptFrom", _key(call, source)), Need("kms:ReEncryptTo", _key(call, destination))]
    if not types or call.operation == "CreateKey":
        return None
    # A ciphertext says itself with which key it is to be decrypted, whatever else the call names.
    keys = [known.key_of_ciphertext(given["CiphertextBlob"])] if given.get("CiphertextBlob") else []
    keys += [key for name in ("KeyId", "TargetKeyId", "ResourceArn") if (key := call.text(name))]
    arns = [_key(call, key) for key in dict.fromkeys(keys)]
    if given.get("AliasName"):
        arns.append(f"arn:aws:kms:{call.region}:{call.serving_account}:{given['AliasName']}")
        led_to = known.key_arn(str(given["AliasName"]), call.serving_account, call.region)
        if led_to and call.operation in {"DeleteAlias", "UpdateAlias"}:
            arns.append(led_to)
    return [Need(f"kms:{call.operation}", arn) for arn in arns] or None


def _key(call: ApiCall, key: str) -> str:
    return (
        known.key_arn(key, call.serving_account, call.region)
        or f"arn:aws:kms:{call.region}:{call.serving_account}:key/*"
    )


def _secrets(call: ApiCall) -> list[Need] | None:
    if call.operation == "BatchGetSecretValue":
        listed = [known.secret_arn(each, call.serving_account, call.region) for each in call.texts("SecretIdList")]
        every = f"arn:aws:secretsmanager:{call.region}:{call.serving_account}:secret:*"
        reads = [Need("secretsmanager:GetSecretValue", arn) for arn in listed or [every]]
        return [Need("secretsmanager:BatchGetSecretValue", "*"), *reads]
    secret = call.text("SecretId") or (call.text("Name") if call.operation == "CreateSecret" else "")
    if not secret:
        return None
    return [Need(f"secretsmanager:{call.operation}", known.secret_arn(secret, call.serving_account, call.region))]


def _iam(call: ApiCall) -> list[Need] | None:
    kinds = [each.arn.split(":", 5)[-1] for each in resource_types("iam", call.operation) or ()]
    names = {"role": "RoleName", "user": "UserName", "group": "GroupName", "instance-profile": "InstanceProfileName"}
    arns = [
        known.iam_arn(kind, call.text(name), call.account, call.text("Path") or "/")
        for kind, name in names.items()
        if call.text(name) and any(each.startswith(f"{kind}/") for each in kinds)
    ]
    if arns and call.operation in {"UpdateUser", "UpdateGroup"}:
        arns += [_renamed(call, arns[0])]
    if not arns and call.operation == "CreatePolicy":
        arns = [f"arn:aws:iam::{call.account}:policy{call.text('Path') or '/'}{call.text('PolicyName') or '*'}"]
    return [Need(f"iam:{call.operation}", arn) for arn in dict.fromkeys(arns)] or None


def _renamed(call: ApiCall, arn: str) -> str:
    """What a user or group is called afterwards."""
    kind = call.operation.removeprefix("Update")
    before, path, name = re.fullmatch(rf"(.+:{kind.lower()})(/.*?)([^/]*)", arn).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return f"{before}{call.text('NewPath') or path}{call.text(f'New{kind}Name') or name}"


def _logs(call: ApiCall) -> list[Need] | None:
    types = resource_types("logs", call.operation) or ()
    names = [name for each in ("logGroupName", "logGroupIdentifier") if (name := call.text(each))]
    names += call.texts("logGroupNames", "logGroupIdentifiers")
    if not names or not types:
        return None
    # As AWS writes them: a group's ARN goes on with its streams, so that policies say `log-group:NAME:*`.
    names = [name.partition(":log-group:")[2].removesuffix(":*") or name for name in names]
    base = f"arn:aws:logs:{call.region}:{call.account}:log-group:"
    return [Need(f"logs:{call.operation}", f"{base}{name}:log-stream:{call.text('logStreamName')}") for name in names]


def _dynamodb(call: ApiCall) -> list[Need] | None:
    """Each action on its table, for the partitions that it names; and what is in a table with a key wants the key as well."""
    if call.operation in {"BatchGetItem", "BatchWriteItem"}:
        tables = cast(Mapping[str, Any], call.parameters.get("RequestItems") or {"*": None})
        needs = [_item_need(call, call.operation, table, {"Requests": part}) for table, part in tables.items()]
    elif call.operation in {"TransactWriteItems", "TransactGetItems"}:
        needs = [
            _item_need(call, TRANSACTION_ACTIONS.get(kind, call.operation), str(part.get("TableName", "*")), part)
            for item in call.entries("TransactItems") or [{"": {}}]
            for kind, part in item.items()
        ]
    elif call.text("TableName"):
        needs = [_item_need(call, call.operation, call.text("TableName"), call.parameters)]
    else:
        return None
    keys = {key for each in needs if each.action in ITEM_ACTIONS and (key := known.table_key(each.resource))}
    via = ("kms:viaservice", f"dynamodb.{call.region}.amazonaws.com"), ("aws:viaawsservice", "true")
    return [*needs, *(Need("kms:Decrypt", key, via) for key in sorted(keys))]


def _item_need(call: ApiCall, action: str, table: str, asked: Mapping[str, Any]) -> Need:
    arn, index = _table(call, table), str(asked.get("IndexName") or "")
    partitions = tuple(("dynamodb:leadingkeys", key) for key in leading_keys(known.table(arn), asked))
    return Need(f"dynamodb:{action}", arn + (f"/index/{index}" if index else ""), partitions)


def _table(call: ApiCall, table: str) -> str:
    return table if table.startswith("arn:") else f"arn:aws:dynamodb:{call.region}:{call.serving_account}:table/{table}"


def _partiql(call: ApiCall) -> list[Need]:
    every = f"arn:aws:dynamodb:{call.region}:{call.account}:table/*"
    return [Need(f"dynamodb:PartiQL{verb}", every) for verb in ("Select", "Insert", "Update", "Delete")]


def _ec2_tags(call: ApiCall) -> list[Need]:
    return _ec2_needs(call, call.texts("Resources") or ["*"])


def _ec2_association(call: ApiCall) -> list[Need] | None:
    """What is associated: IAM knows no association."""
    named = known.ec2_associated(call.text("AssociationId"), call.serving_account, call.region)
    named += [each for name in ("RouteTableId", "AllocationId") if (each := call.text(name))]
    return _ec2_needs(call, list(dict.fromkeys(named))) or None


def _ec2_group(call: ApiCall) -> list[Need] | None:
    """The group whose rules change: by a name it can be any, and not the one that a rule admits."""
    return None if call.text("GroupId") else _ec2_needs(call, ["sg-*"])


def _ec2_needs(call: ApiCall, ids: Iterable[str]) -> list[Need]:
    base = f"arn:aws:ec2:{call.region}:{call.account}:"
    return [Need(f"ec2:{call.operation}", f"{base}{EC2_IDS.get(each.partition('-')[0], '*')}/{each}") for each in ids]


def _tag_resources(call: ApiCall) -> list[Need]:
    """The right to this API, and for each resource the right of its own service. Source: "TagResources", Tagging API reference."""
    own = TAGGING if call.operation == "TagResources" else UNTAGGING
    default = call.operation.removesuffix("s")
    needs = [Need(f"tag:{call.operation}", "*")]
    for arn in call.texts("ResourceARNList"):
        prefix = arn.split(":")[2] if arn.count(":") >= 2 else "none"
        needs.append(Need(f"{prefix}:{own.get(prefix, default)}", arn))
    return needs


def _assume_role(call: ApiCall) -> list[Need]:
    role = call.text("RoleArn") or "*"
    actions = [call.operation]
    actions += ["TagSession"] if call.parameters.get("Tags") else []
    actions += ["SetSourceIdentity"] if call.parameters.get("SourceIdentity") else []
    return [Need(f"sts:{action}", role) for action in actions]


TAGGING = {
    "acm": "AddTagsToCertificate", "autoscaling": "CreateOrUpdateTags", "ec2": "CreateTags", "elasticloadbalancing": "AddTags",
    "iam": "TagRole", "rds": "AddTagsToResource", "route53": "ChangeTagsForResource", "s3": "PutBucketTagging",
    "sqs": "TagQueue", "ssm": "AddTagsToResource",
}  # fmt: skip
UNTAGGING = {
    "acm": "RemoveTagsFromCertificate", "autoscaling": "DeleteTags", "ec2": "DeleteTags", "elasticloadbalancing": "RemoveTags",
    "iam": "UntagRole", "rds": "RemoveTagsFromResource", "route53": "ChangeTagsForResource", "s3": "PutBucketTagging",
    "sqs": "UntagQueue", "ssm": "RemoveTagsFromResource",
}  # fmt: skip
"""By IAM's name of a service, where the action is not TagResource or UntagResource."""
SPECIAL: Mapping[tuple[str, str], Special] = {
    ("dynamodb", ""): _dynamodb,
    ("dynamodb", "BatchExecuteStatement"): _partiql,
    ("dynamodb", "ExecuteStatement"): _partiql,
    ("dynamodb", "ExecuteTransaction"): _partiql,
    ("ec2", "AuthorizeSecurityGroupEgress"): _ec2_group,
    ("ec2", "AuthorizeSecurityGroupIngress"): _ec2_group,
    ("ec2", "CreateTags"): _ec2_tags,
    ("ec2", "DeleteTags"): _ec2_tags,
    ("ec2", "DisassociateAddress"): _ec2_association,
    ("ec2", "DisassociateRouteTable"): _ec2_association,
    ("ec2", "ReplaceRouteTableAssociation"): _ec2_association,
    ("ec2", "RevokeSecurityGroupEgress"): _ec2_group,
    ("ec2", "RevokeSecurityGroupIngress"): _ec2_group,
    ("iam", ""): _iam,
    ("kms", ""): _kms,
    ("logs", ""): _logs,
    ("resourcegroupstaggingapi", "TagResources"): _tag_resources,
    ("resourcegroupstaggingapi", "UntagResources"): _tag_resources,
    ("s3", ""): _s3,
    ("secretsmanager", ""): _secrets,
    ("sqs", ""): _sqs,
    ("sts", "AssumeRole"): _assume_role,
    ("sts", "AssumeRoleWithWebIdentity"): _assume_role,
}
"""By service and operation; an empty operation stands for all others of the service."""
