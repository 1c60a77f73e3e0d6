"""S3 buckets. What a bucket is set to (its policy, versions, encryption …) are resources of their own: see `s3_settings`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import AlreadyExistsError
from slipway.sandbox.providers.framework.functions import argument, looked_up
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource, unless_missing
from slipway.sandbox.providers.framework.session import PARTITION
from slipway.sandbox.providers.framework.tags import tag_map, tag_pairs

HOME_REGION = "us-east-1"
"""The one region that S3 neither takes nor gives as a location."""
_MAX_PREFIX_LENGTH = 37  # 63 letters of a name, less the 26 that make it unique
_DELETED_AT_ONCE = 1000  # keys that DeleteObjects takes
_ZONES = {  # source: AWS General Reference, "Amazon S3 website endpoints"
    "ap-northeast-1": "Z2M4EHUR26P7ZW",
    "ap-southeast-1": "Z3O0J2DXBE1FTB",
    "ap-southeast-2": "Z1WCIGYICN2BYD",
    "eu-central-1": "Z21DNDUVLTQW6Q",
    "eu-north-1": "Z3BAZG2TWCNX0D",
    "eu-west-1": "Z1BKCTXD74EZPE",
    "eu-west-2": "Z3GKZC51ZF0DB4",
    "us-east-1": "Z3AQBSTGFAJSTF",
    "us-east-2": "Z2O1EMRO9K5GLX",
    "us-west-1": "Z2F56UZL2M1ACD",
    "us-west-2": "Z3BJ6K6RIION7M",
}
_RESOURCE_OF = {
    "accelerationStatus": "BucketAccelerateConfiguration",
    "acl": "BucketAcl",
    "corsRules": "BucketCorsConfiguration",
    "grants": "BucketAcl",
    "lifecycleRules": "BucketLifecycleConfiguration",
    "logging": "BucketLogging",
    "objectLockConfiguration": "BucketObjectLockConfiguration",
    "policy": "BucketPolicy",
    "replicationConfiguration": "BucketReplicationConfig",
    "requestPayer": "BucketRequestPaymentConfiguration",
    "serverSideEncryptionConfiguration": "BucketServerSideEncryptionConfiguration",
    "versioning": "BucketVersioning",
    "website": "BucketWebsiteConfiguration",
}
"""What pulumi-aws 7 still takes on the bucket itself, deprecated, and the resource that took its place."""


class Bucket(Resource):
    """aws.s3.Bucket"""

    token = "aws:s3/bucket:Bucket"
    service = "s3"
    deletion = "delete_bucket"
    id_arguments = ("Bucket",)
    force_new = frozenset({"bucket", "bucketPrefix", "objectLockEnabled", "region"})
    defaults = {"forceDestroy": False}
    auto_name = AutoName(property="bucket", max_length=63, lower=True)
    conflict_codes = frozenset({"BucketAlreadyExists", "BucketAlreadyOwnedByYou"})
    write_only = frozenset({"forceDestroy"})
    unsupported = frozenset({"bucketNamespace"})

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """The deprecated ways to set a bucket up are refused, with the way that replaced them."""
        for name, resource in _RESOURCE_OF.items():
            if name in inputs:
                yield (
                    name,
                    f"{name} on the bucket is deprecated, and not supported by the sandbox; use aws.s3.{resource}",
                )
        prefix = inputs.get("bucketPrefix")
        if isinstance(prefix, str) and len(prefix) > _MAX_PREFIX_LENGTH:
            yield "bucketPrefix", f"expected at most {_MAX_PREFIX_LENGTH} letters, got {len(prefix)}"

    def create(self, call: Call) -> str:
        """Create; S3's first region answers a bucket that one owns already, so the name is looked for first."""
        if existing := self.find(call):
            raise AlreadyExistsError(f"{self.token}: BucketAlreadyOwnedByYou: {existing}")
        s3 = call.client("s3")
        name = self.new_name(call)
        arguments: dict[str, Any] = call.given(ObjectLockEnabledForBucket="objectLockEnabled")
        if call.region != HOME_REGION:
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": call.region}
        s3.create_bucket(Bucket=name, **arguments)
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": call.tag_list})
        return name

    def find(self, call: Call) -> str | None:
        """By name."""
        name = call.inputs.get("bucket")
        there = name and unless_missing(lambda: call.client("s3").head_bucket(Bucket=name))
        return str(name) if there else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The bucket."""
        s3 = call.client("s3")
        region = s3.get_bucket_location(Bucket=id).get("LocationConstraint") or HOME_REGION
        versioning = s3.get_bucket_versioning(Bucket=id)
        return {
            "arn": f"arn:{PARTITION}:s3:::{id}",
            "bucket": id,
            "bucketDomainName": f"{id}.s3.amazonaws.com",
            "bucketRegion": region,
            "bucketRegionalDomainName": f"{id}.s3.{region}.amazonaws.com",
            "hostedZoneId": _ZONES.get(region, ""),
            "objectLockEnabled": _object_lock_enabled(s3, id),
            "region": region,
            "requestPayer": "BucketOwner",
            "tagsAll": _tags(s3, id),
            "versioning": {
                "enabled": versioning.get("Status") == "Enabled",
                "mfaDelete": versioning.get("MFADelete") == "Enabled",
            },
        }

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """S3 takes the whole set at once."""
        s3 = call.client("s3")
        s3.put_bucket_tagging(Bucket=id, Tagging=with_changes(_tags(s3, id), add, remove))

    def delete(self, call: Call, id: str) -> None:
        """Delete; what is in it only goes when forced, every version of it."""
        s3 = call.client("s3")
        if call.state.get("forceDestroy"):
            for keys in pages_of_versions(s3, id):
                s3.delete_objects(Bucket=id, Delete={"Objects": keys, "Quiet": True})
        super().delete(call, id)


def pages_of_versions(s3: Any, bucket: str, prefix: str = "") -> Iterator[list[dict[str, str]]]:
    """Key and id of every version, deletions included, of the keys that begin with `prefix`; as many at a time as DeleteObjects takes."""
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": _DELETED_AT_ONCE}
    )
    for page in pages:
        versions = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if versions:
            yield [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions]


def with_changes(tags: Mapping[str, str], add: Mapping[str, str], remove: list[str]) -> dict[str, list[dict[str, str]]]:
    """The whole set of tags, as S3 takes it, after a change of some."""
    return {"TagSet": tag_pairs({key: value for key, value in tags.items() if key not in remove} | dict(add))}


def _object_lock_enabled(s3: Any, bucket: str) -> bool:
    found = unless_missing(lambda: s3.get_object_lock_configuration(Bucket=bucket))
    return bool(found) and found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"


def _tags(s3: Any, bucket: str) -> dict[str, str]:
    found = unless_missing(lambda: s3.get_bucket_tagging(Bucket=bucket))  # a bucket without tags has no set of them
    return tag_map(found["TagSet"]) if found else {}


get_bucket = looked_up("aws:s3/getBucket:getBucket", Bucket(), argument("bucket"))
