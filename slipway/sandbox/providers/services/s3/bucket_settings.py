"""What an S3 bucket is set to: one resource for each setting, of which a bucket has one at most."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from slipway.providers.values import PropertyMap, Value
from slipway.sandbox.providers.framework.resource import Call, Resource, utc_time
from slipway.sandbox.providers.framework.tags import tag_map, tag_pairs

_S3_NAMES = {
    "id": "ID",
    "kmsMasterKeyId": "KMSMasterKeyID",
    "mfaDelete": "MFADelete",
    "sseAlgorithm": "SSEAlgorithm",
    "uri": "URI",
}
"""S3's names that are not the property's with a capital letter."""
_PROPERTY_NAMES = {theirs: ours for ours, theirs in _S3_NAMES.items()}
_OLD_WEBSITE_REGIONS = frozenset(
    [
        "ap-northeast-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "eu-west-1",
        "sa-east-1",
        "us-east-1",
        "us-gov-west-1",
        "us-west-1",
        "us-west-2",
    ]
)
"""Their website addresses have a dash before the region, all others a point; source: "Amazon S3 website endpoints"."""


def s3_shape(value: Value) -> Any:
    """Properties as S3's API names them; a map of tags becomes its list."""
    if isinstance(value, dict):
        return {
            _S3_NAMES.get(name, name[:1].upper() + name[1:]): tag_pairs(item) if name == "tags" else s3_shape(item)
            for name, item in value.items()
        }
    return [s3_shape(item) for item in value] if isinstance(value, list) else value


def property_shape(value: Any) -> Value:
    """What S3 answers, as properties."""
    if isinstance(value, dict):
        return {
            _PROPERTY_NAMES.get(name, name[:1].lower() + name[1:]): tag_map(item)
            if name == "Tags"
            else property_shape(item)
            for name, item in value.items()
        }
    if isinstance(value, datetime):
        return utc_time(value)
    return [property_shape(item) for item in value] if isinstance(value, list) else value


class BucketSetting(Resource):
    """One setting; its id is the bucket's name. Only the names of S3's calls and the shape of the document differ."""

    force_new = frozenset({"bucket"})
    service = "s3"
    unsupported = frozenset({"expectedBucketOwner"})
    operation: ClassVar[str]
    """`put_<operation>` and `get_<operation>`."""
    deleted_as: ClassVar[str] = ""
    """`delete_<deleted_as>`; "": as `operation`."""
    document: ClassVar[str]
    """The name of the document, in the request."""

    def api_document(self, inputs: PropertyMap) -> Any:
        """The document that the inputs mean."""
        raise NotImplementedError

    def settings_of(self, answer: dict[str, Any]) -> PropertyMap | None:
        """The outputs that S3's answer means; None: the bucket does not have the setting."""
        raise NotImplementedError

    def create(self, call: Call) -> str:
        """Set it, whether it was set or not."""
        bucket = str(call.inputs["bucket"])
        self.update(call, bucket)
        return bucket

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The setting."""
        bucket = id.partition(",")[0]  # `bucket,owner`, `bucket,acl`: what the real provider's ids of some of them are
        outputs = self.settings_of(getattr(call.client("s3"), f"get_{self.operation}")(Bucket=bucket))
        return None if outputs is None else {"bucket": bucket, **outputs}

    def update(self, call: Call, id: str) -> None:
        """Set it anew, as a whole."""
        document = {self.document: self.api_document(call.inputs)}
        getattr(call.client("s3"), f"put_{self.operation}")(Bucket=call.inputs["bucket"], **document)

    def delete(self, call: Call, id: str) -> None:
        """Unset it."""
        getattr(call.client("s3"), f"delete_{self.deleted_as or self.operation}")(Bucket=id.partition(",")[0])


class BucketRules(BucketSetting):
    """A setting that is a list of rules and nothing else."""

    rules: ClassVar[str] = "rules"
    """The property that holds them."""
    listed: ClassVar[str] = "Rules"
    """What S3 calls the list, in the document and in its answer."""

    def api_document(self, inputs: PropertyMap) -> Any:
        """The rules."""
        return {self.listed: s3_shape(inputs[self.rules])}

    def settings_of(self, answer: dict[str, Any]) -> PropertyMap:
        """The rules; some answers hold the document, others are it."""
        return {self.rules: property_shape(answer.get(self.document, answer)[self.listed])}


class BucketPublicAccessBlock(BucketSetting):
    """aws.s3.BucketPublicAccessBlock"""

    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    defaults = dict.fromkeys(switches, False)
    unsupported = frozenset[str]()
    write_only = frozenset({"skipDestroy"})
    operation = "public_access_block"
    document = "PublicAccessBlockConfiguration"

    def api_document(self, inputs: PropertyMap) -> Any:
        """The four switches."""
        return s3_shape({name: bool(inputs.get(name)) for name in self.switches})

    def settings_of(self, answer: dict[str, Any]) -> PropertyMap:
        """The four switches."""
        live = property_shape(answer[self.document])
        return {name: bool(live.get(name)) for name in self.switches}

    def delete(self, call: Call, id: str) -> None:
        """Unset it, unless it is to outlive its resource."""
        if not call.state.get("skipDestroy"):
            super().delete(call, id)


class BucketPolicy(BucketSetting):
    """aws.s3.BucketPolicy"""

    token = "aws:s3/bucketPolicy:BucketPolicy"
    json_properties = frozenset({"policy"})
    unsupported = frozenset[str]()
    operation = "bucket_policy"
    document = "Policy"

    def api_document(self, inputs: PropertyMap) -> str:
        """The policy's text."""
        return str(inputs["policy"])

    def settings_of(self, answer: dict[str, Any]) -> PropertyMap:
        """The policy's text."""
        return {"policy": answer["Policy"]}


class BucketVersioning(BucketSetting):
    """aws.s3.BucketVersioning"""

    token = "aws:s3/bucketVersioning:BucketVersioning"
    unsupported = frozenset({"expectedBucketOwner", "mfa"})
    operation = "bucket_versioning"
    document = "VersioningConfiguration"

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """S3 knows no way back from versions to none."""
        given = inputs.get("versioningConfiguration")
        status = given.get("status") if isinstance(given, dict) else None
        if isinstance(status, str) and status not in {"Enabled", "Suspended", "Disabled"}:
            yield (
                "versioningConfiguration.status",
                f"expected status to be one of Enabled, Suspended, Disabled, got {status}",
            )

    def api_document(self, inputs: PropertyMap) -> Any:
        """Status; a bucket that never had versions is "Disabled", which S3 can only be told as Suspended."""
        given = dict(inputs["versioningConfiguration"])
        return s3_shape({**given, "status": "Suspended" if given["status"] == "Disabled" else given["status"]})

    def update(self, call: Call, id: str) -> None:
        """Set it, unless there is nothing to set."""
        if call.inputs["versioningConfiguration"]["status"] != "Disabled" or call.outputs:
            super().update(call, id)

    def settings_of(self, answer: dict[str, Any]) -> PropertyMap:
        """Status and deletion by a second factor."""
        shown = {"status": answer.get("Status") or "Disabled"}
        return {
            "versioningConfiguration": shown | ({"mfaDelete": answer["MFADelete"]} if "MFADelete" in answer else {})
        }

    def delete(self, call: Call, id: str) -> None:
        """Suspend: S3 keeps the versions there are."""
        s3, bucket = call.client("s3"), id.partition(",")[0]
        if s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled":
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


class BucketServerSideEncryptionConfiguration(BucketRules):
    """aws.s3.BucketServerSideEncryptionConfiguration"""

    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    operation = "bucket_encryption"
    document = "ServerSideEncryptionConfiguration"


class BucketOwnershipControls(BucketSetting):
    """aws.s3.BucketOwnershipControls"""

    token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    unsupported = frozenset[str]()
    operation = "bucket_ownership_controls"
    document = "OwnershipControls"

    def api_document(self, inputs: PropertyMap) -> Any:
        """The one rule."""
        return {"Rules": [s3_shape(inputs["rule"])]}

    def settings_of(self, answer: dict[str, Any]) -> PropertyMap:
        """The one rule."""
        return {"rule": property_shape(answer[self.document]["Rules"][0])}


class BucketCorsConfiguration(BucketRules):
    """aws.s3.BucketCorsConfiguration"""

    token = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
    operation = "bucket_cors"
    document = "CORSConfiguration"
    rules = "corsRules"
    listed = "CORSRules"


class BucketLifecycleConfiguration(BucketRules):
    """aws.s3.BucketLifecycleConfiguration"""

    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    unsupported = frozenset({"expectedBucketOwner", "transitionDefaultMinimumObjectSize"})
    write_only = frozenset({"timeouts"})
    operation = "bucket_lifecycle_configuration"
    deleted_as = "bucket_lifecycle"
    document = "LifecycleConfiguration"

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """S3 refuses a configuration without rules, in words that do not say so."""
        if not inputs.get("rules"):
            yield "rules", "at least one rule is needed"

    def api_document(self, inputs: PropertyMap) -> Any:
        """The rules; one without a filter is for every object."""
        rules = super().api_document(inputs)[self.listed]
        return {self.listed: [rule if "Prefix" in rule else {"Filter": {"Prefix": ""}} | rule for rule in rules]}


class BucketWebsiteConfiguration(BucketSetting):
    """aws.s3.BucketWebsiteConfiguration"""

    token = "aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration"
    conflicts = (("indexDocument", "redirectAllRequestsTo"), ("errorDocument", "redirectAllRequestsTo"))
    unsupported = frozenset({"expectedBucketOwner", "routingRuleDetails"})
    ordered = frozenset({"routingRules"})
    operation = "bucket_website"
    document = "WebsiteConfiguration"
    parts = ("errorDocument", "indexDocument", "redirectAllRequestsTo", "routingRules")

    def api_document(self, inputs: PropertyMap) -> Any:
        """What is given of it."""
        return s3_shape({name: inputs[name] for name in self.parts if inputs.get(name)})

    def settings_of(self, answer: dict[str, Any]) -> PropertyMap:
        """What is set of it."""
        live = property_shape(answer)
        return {name: live.get(name) for name in self.parts}

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """With the address that AWS would serve it under; the sandbox serves the objects themselves only."""
        outputs = super().read(call, id)
        if outputs is not None:
            point = "-" if call.region in _OLD_WEBSITE_REGIONS else "."
            domain = f"s3-website{point}{call.region}.amazonaws.com"
            outputs |= {"websiteDomain": domain, "websiteEndpoint": f"{outputs['bucket']}.{domain}"}
        return outputs


class BucketLogging(BucketSetting):
    """aws.s3.BucketLogging"""

    token = "aws:s3/bucketLogging:BucketLogging"
    unsupported = frozenset({"expectedBucketOwner", "targetGrants", "targetObjectKeyFormat"})
    operation = "bucket_logging"
    document = "BucketLoggingStatus"
    parts = ("targetBucket", "targetPrefix")

    def api_document(self, inputs: PropertyMap) -> Any:
        """Where the log goes."""
        return {"LoggingEnabled": s3_shape({name: inputs[name] for name in self.parts})}

    def settings_of(self, answer: dict[str, Any]) -> PropertyMap | None:
        """Where the log goes."""
        if "LoggingEnabled" not in answer:
            return None
        live = property_shape(answer["LoggingEnabled"])
        return {name: live.get(name, "") for name in self.parts}

    def delete(self, call: Call, id: str) -> None:
        """Log no more."""
        call.client("s3").put_bucket_logging(Bucket=id.partition(",")[0], BucketLoggingStatus={})


class BucketAcl(BucketSetting):
    """aws.s3.BucketAcl, by the name of a canned list."""

    token = "aws:s3/bucketAcl:BucketAcl"
    unsupported = frozenset({"accessControlPolicy", "expectedBucketOwner"})
    write_only = frozenset({"acl"})
    operation = "bucket_acl"
    document = "ACL"

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """The canned list is what there is to set."""
        if "acl" not in inputs and "accessControlPolicy" not in inputs:
            yield "acl", 'Missing required argument. The argument "acl" is required, but no definition was found.'

    def create(self, call: Call) -> str:
        """Set it; the id names the list, as the real provider's does."""
        return f"{super().create(call)},{call.inputs['acl']}"

    def api_document(self, inputs: PropertyMap) -> str:
        """The list's name."""
        return str(inputs["acl"])

    def settings_of(self, answer: dict[str, Any]) -> PropertyMap:
        """Who may do what; S3 does not say which canned list it was."""
        grants = [
            {"grantee": property_shape(grant["Grantee"]), "permission": grant["Permission"]}
            for grant in answer["Grants"]
        ]
        return {"accessControlPolicy": {"grants": grants, "owner": property_shape(answer["Owner"])}}

    def delete(self, call: Call, id: str) -> None:
        """Nothing: a bucket always has a list, and keeps this one, as the real provider leaves it."""
