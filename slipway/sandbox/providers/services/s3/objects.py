"""Objects in S3 buckets."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from slipway.providers.provider import ProviderError
from slipway.providers.values import Archive, Asset, PropertyMap, Secret
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource
from slipway.sandbox.providers.framework.session import PARTITION
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.s3.buckets import pages_of_versions, with_changes

_CONTENTS = ("content", "contentBase64", "source")
_HEADERS = {
    "acl": "ACL",
    "bucketKeyEnabled": "BucketKeyEnabled",
    "cacheControl": "CacheControl",
    "contentDisposition": "ContentDisposition",
    "contentEncoding": "ContentEncoding",
    "contentLanguage": "ContentLanguage",
    "contentType": "ContentType",
    "kmsKeyId": "SSEKMSKeyId",
    "metadata": "Metadata",
    "serverSideEncryption": "ServerSideEncryption",
    "storageClass": "StorageClass",
    "websiteRedirect": "WebsiteRedirectLocation",
}
"""PutObject's arguments, by property."""
_READ = frozenset(_HEADERS) - {"acl"}


class BucketObject(Resource):
    """aws.s3.BucketObject"""

    token = "aws:s3/bucketObject:BucketObject"
    force_new = frozenset({"bucket", "key", "region"})
    defaults = {"forceDestroy": False}
    auto_name = AutoName(property="key", max_length=1024, unique=False)
    conflicts = (_CONTENTS,)
    write_only = frozenset({*_CONTENTS, "acl", "forceDestroy", "sourceHash"})
    unsupported = frozenset({"etag", "objectLockLegalHoldStatus", "objectLockMode", "objectLockRetainUntilDate"})

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """What can be sent as it is."""
        source = inputs.get("source")
        if isinstance(source, Archive):
            yield (
                "source",
                "an archive is not supported by the sandbox's AWS provider; make the file, and give it as a FileAsset",
            )
        if isinstance(source, Asset) and source.uri:
            yield (
                "source",
                f"{source.uri} is not fetched by the sandbox's AWS provider; give a FileAsset or a StringAsset",
            )

    def create(self, call: Call) -> str:
        """Put it; what had the key before is written over, as S3 does."""
        key = str(call.inputs["key"])
        self.update(call, key)
        return key

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The object, without its content."""
        bucket, key = _place(call, id)
        s3 = call.client("s3")
        live = s3.head_object(Bucket=bucket, Key=key)
        usual: dict[str, Any] = {
            "ServerSideEncryption": "AES256",
            "StorageClass": "STANDARD",
            "BucketKeyEnabled": False,
            "Metadata": None,
        }
        return {
            **{
                name: live.get(argument) or usual.get(argument, "")
                for name, argument in _HEADERS.items()
                if name in _READ
            },
            "arn": f"arn:{PARTITION}:s3:::{bucket}/{key}",
            "bucket": bucket,
            "etag": str(live["ETag"]).strip('"'),
            "key": key,
            "tagsAll": tag_map(s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]),
            "versionId": live.get("VersionId") or "",
        }

    def update(self, call: Call, id: str) -> None:
        """Put it anew: S3 changes nothing of an object in place."""
        arguments = {_HEADERS[name]: value for name, value in call.inputs.items() if name in _HEADERS}
        call.client("s3").put_object(
            Bucket=call.inputs["bucket"],
            Key=call.inputs["key"],
            Body=_content(call),
            Tagging=urlencode(call.tags),
            **arguments,
        )

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """S3 takes the whole set at once."""
        bucket, key = _place(call, id)
        s3 = call.client("s3")
        live = tag_map(s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"])
        s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=with_changes(live, add, remove))

    def delete(self, call: Call, id: str) -> None:
        """Delete; its older versions only go when forced."""
        bucket, key = _place(call, id)
        s3 = call.client("s3")
        if call.state.get("forceDestroy"):
            for page in pages_of_versions(s3, bucket, key):
                if versions := [version for version in page if version["Key"] == key]:
                    s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        s3.delete_object(Bucket=bucket, Key=key)

    def import_outputs(self, call: Call, id: str) -> None:
        """An object is imported as `<bucket>/<key>` or `s3://<bucket>/<key>`."""
        bucket, _, key = id.removeprefix("s3://").partition("/")
        if not key:
            raise ProviderError(f"an object is imported as <bucket>/<key>, got {id}")
        call.inputs |= {"bucket": bucket, "key": key}


class BucketObjectv2(BucketObject):
    """aws.s3.BucketObjectv2"""

    token = "aws:s3/bucketObjectv2:BucketObjectv2"
    unsupported = BucketObject.unsupported | {"checksumAlgorithm", "overrideProvider"}


def _place(call: Call, id: str) -> tuple[str, str]:
    known = call.state
    return str(known["bucket"]), str(known.get("key") or id)


def _content(call: Call) -> bytes:
    """The bytes to put. Raises ProviderError."""
    inputs = call.inputs
    source = inputs.get("source")
    if isinstance(source, Secret):
        source = source.value
    if isinstance(source, Asset):
        if source.text is not None:
            return source.text.encode()
        try:
            return (call.folder / (source.path or "")).read_bytes()
        except OSError as error:
            raise ProviderError(f"source: cannot read {source.path}: {error.strerror}") from error
    if inputs.get("contentBase64"):
        try:
            return base64.b64decode(inputs["contentBase64"], validate=True)
        except binascii.Error as error:
            raise ProviderError(f"contentBase64 is not base64: {error}") from error
    return str(inputs.get("content") or "").encode()
