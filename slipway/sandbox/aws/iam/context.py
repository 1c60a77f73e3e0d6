"""Condition keys of a request.

Source: "AWS global condition context keys", IAM User Guide; the services' keys from the Service Authorization Reference. A key that is
not here is missing in every request: conditions that need it are not met.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.parameters import Texts, tags_of
from slipway.sandbox.aws.iam.patterns import Lookup
from slipway.sandbox.aws.iam.requests import ApiCall
from slipway.sandbox.aws.iam.special_resources import Need

TAG_KEY = re.compile(r"[\w-]+:resourcetag/(.+)")
FROM_PARAMETERS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("cloudwatch", "cloudwatch:namespace"): ("namespace",),
    ("ec2", "ec2:vpc"): ("vpcid",),
    ("eks", "eks:principalarn"): ("principalarn",),
    ("eks", "eks:policyarn"): ("policyarn",),
    ("iam", "iam:awsservicename"): ("awsservicename",),
    ("iam", "iam:permissionsboundary"): ("permissionsboundary",),
    ("iam", "iam:policyarn"): ("policyarn",),
    ("kms", "kms:keyspec"): ("keyspec",),
    ("s3", "s3:delimiter"): ("delimiter",),
    ("s3", "s3:locationconstraint"): ("locationconstraint",),
    ("s3", "s3:max-keys"): ("maxkeys",),
    ("s3", "s3:prefix"): ("prefix",),
    ("s3", "s3:versionid"): ("versionid",),
    ("s3", "s3:x-amz-acl"): ("acl",),
    ("s3", "s3:x-amz-copy-source"): ("copysource",),
    ("s3", "s3:x-amz-server-side-encryption"): ("serversideencryption",),
    ("s3", "s3:x-amz-server-side-encryption-aws-kms-key-id"): ("ssekmskeyid",),
    ("secretsmanager", "secretsmanager:name"): ("name",),
    ("secretsmanager", "secretsmanager:versionstage"): ("versionstage",),
    ("sns", "sns:endpoint"): ("endpoint",),
    ("sns", "sns:protocol"): ("protocol",),
    ("sts", "sts:externalid"): ("externalid",),
    ("sts", "sts:rolesessionname"): ("rolesessionname",),
    ("sts", "sts:sourceidentity"): ("sourceidentity",),
    ("sts", "sts:transitivetagkeys"): ("transitivetagkeys",),
}


def lookup_for(
    call: ApiCall,
    need: Need,
    *,
    identity_keys: Mapping[str, tuple[str, ...]],
    resource_account: str,
    tags_of_resource: Callable[[str], Mapping[str, str]],
    now: datetime,
) -> Lookup:
    """The condition keys for one need of a call. `tags_of_resource` is asked only when a condition is."""
    keys = {
        **_request_keys(call, now),
        **identity_keys,
        "aws:resourceaccount": (resource_account,),
        **_grouped(need.context),
    }
    texts = Texts(call.parameters)

    def lookup(key: str) -> tuple[str, ...]:
        name = key.lower()
        if name in keys:
            return keys[name]
        if found := TAG_KEY.fullmatch(name):
            return tuple(value for tag, value in tags_of_resource(need.resource).items() if tag.lower() == found[1])
        given = tuple(texts.of(*FROM_PARAMETERS.get((call.prefix, name), ())))
        if not given and name == "iam:permissionsboundary":  # of the role or user that is changed
            boundary = known.boundary_arn(need.resource)
            return (boundary,) if boundary else ()
        return given

    return lookup


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    values: dict[str, tuple[str, ...]] = {}
    for key, value in pairs:
        values[key] = (*values.get(key, ()), value)
    return values


def _request_keys(call: ApiCall, now: datetime) -> dict[str, tuple[str, ...]]:
    tags = tags_of(call.parameters)
    keys = {
        "aws:currenttime": (now.isoformat(),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:requestedregion": (call.region,),
        # The sandbox speaks plain HTTP on this machine alone; policies that ask for TLS are written for AWS, where it is.
        "aws:securetransport": ("true",),
        "aws:sourceip": (call.source_ip,),
        "aws:useragent": (call.headers.get("user-agent", ""),),
        "aws:viaawsservice": ("false",),
        "aws:tagkeys": tuple(tags),
        **{f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()},
    }
    if call.prefix == "kms":
        encryption: Mapping[str, str] = call.parameters.get("EncryptionContext") or {}
        keys |= {f"kms:encryptioncontext:{key.lower()}": (value,) for key, value in encryption.items()}
        keys |= {"kms:encryptioncontextkeys": tuple(encryption), "kms:calleraccount": (call.account,)}
    return keys
