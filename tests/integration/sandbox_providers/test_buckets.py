"""S3 buckets, what they are set to, and the objects in them, over their life."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from provider_kit import changed, checked, client, context, created, gone, imported, made, refused

from slipway.providers.provider import ProviderError
from slipway.providers.values import Archive, Asset
from slipway.sandbox.providers.aws import AwsProvider

BUCKET = "aws:s3/bucket:Bucket"
OBJECT = "aws:s3/bucketObject:BucketObject"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}],
    }
)
RULE = {
    "id": "old",
    "status": "Enabled",
    "filter": {"and": {"prefix": "logs/", "tags": {"kind": "log"}}},
    "expiration": {"days": 90},
    "noncurrentVersionExpiration": {"noncurrentDays": 30},
    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
}


def s3(provider: AwsProvider) -> Any:
    """The client of the service itself."""
    return client(provider, "s3")


def test_bucket_lives_its_life(provider: AwsProvider) -> None:
    ctx = context(BUCKET, "Assets")
    inputs = checked(provider, ctx, tags={"team": "shop"})
    assert inputs["bucket"].startswith("assets-")  # buckets know no capitals
    bucket = created(provider, ctx, inputs)
    assert bucket.outputs["arn"] == f"arn:aws:s3:::{bucket.id}"
    assert bucket.outputs["bucketRegionalDomainName"] == f"{bucket.id}.s3.us-east-1.amazonaws.com"
    assert bucket.outputs["tagsAll"] == {"team": "shop", "environment": "dev", "managed-by": "slipway"}

    news = checked(provider, ctx, bucket=bucket.id, tags={"team": "core", "tier": "1"}, forceDestroy=True)
    outputs = changed(provider, ctx, bucket, inputs, news)
    assert outputs["tags"] == {"team": "core", "tier": "1"}
    imported(provider, ctx, bucket.id, {**news, "forceDestroy": False})
    elsewhere = checked(provider, ctx, bucket="elsewhere")
    assert provider.diff(ctx, bucket.id, inputs, bucket.outputs, elsewhere).replaces == ("bucket",)
    looked_up = provider.invoke("aws:s3/getBucket:getBucket", {"bucket": bucket.id}, preview=False).outputs
    assert looked_up["arn"] == bucket.outputs["arn"]

    s3(provider).put_bucket_versioning(Bucket=bucket.id, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3(provider).put_object(Bucket=bucket.id, Key="kept", Body=body)
    s3(provider).delete_object(Bucket=bucket.id, Key="kept")
    with pytest.raises(ProviderError, match="BucketNotEmpty"):
        provider.delete(ctx, bucket.id, inputs, bucket.outputs)
    assert gone(provider, ctx, bucket, news)


def test_bucket_of_a_killed_run_is_taken_up_and_anybody_elses_is_not(provider: AwsProvider) -> None:
    made(provider, BUCKET, "first", bucket="taken")
    with pytest.raises(ProviderError, match="BucketAlreadyOwnedByYou"):
        made(provider, BUCKET, "second", bucket="taken")
    marked = [{"Key": "slipway:urn", "Value": context(BUCKET, "third").urn}]
    s3(provider).create_bucket(Bucket="begun")  # as a run that was killed before its state was saved leaves it
    s3(provider).put_bucket_tagging(Bucket="begun", Tagging={"TagSet": marked})
    assert made(provider, BUCKET, "third", bucket="begun").id == "begun"


def test_bucket_is_made_where_it_is_wanted(provider: AwsProvider) -> None:
    bucket = made(provider, BUCKET, "far", region="eu-west-1")
    assert bucket.outputs["bucketRegion"] == bucket.outputs["region"] == "eu-west-1"


SETTINGS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("BucketOwnershipControls", {"rule": {"objectOwnership": "BucketOwnerPreferred"}}, {}),
    ("BucketPolicy", {"policy": POLICY}, {"policy": POLICY.replace("s3:*", "s3:Get*")}),
    ("BucketPublicAccessBlock", {"blockPublicAcls": True}, {"blockPublicAcls": True, "restrictPublicBuckets": True}),
    (
        "BucketVersioning",
        {"versioningConfiguration": {"status": "Enabled"}},
        {"versioningConfiguration": {"status": "Suspended"}},
    ),
    (
        "BucketServerSideEncryptionConfiguration",
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}, "bucketKeyEnabled": True}]},
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
    ),
    (
        "BucketCorsConfiguration",
        {"corsRules": [{"allowedMethods": ["GET"], "allowedOrigins": ["https://shop.example"], "maxAgeSeconds": 60}]},
        {"corsRules": [{"allowedMethods": ["GET", "PUT"], "allowedOrigins": ["*"], "id": "all"}]},
    ),
    ("BucketLifecycleConfiguration", {"rules": [RULE]}, {"rules": [RULE | {"expiration": {"days": 60}}]}),
    (
        "BucketWebsiteConfiguration",
        {"indexDocument": {"suffix": "index.html"}, "errorDocument": {"key": "404.html"}},
        {"redirectAllRequestsTo": {"hostName": "shop.example", "protocol": "https"}},
    ),
]


@pytest.mark.parametrize(("kind", "first", "second"), SETTINGS, ids=[kind for kind, _, _ in SETTINGS])
def test_setting_of_a_bucket_lives_its_life(
    provider: AwsProvider, kind: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    bucket = made(provider, BUCKET, f"of-{kind.lower()}")
    ctx = context(f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}", "setting")
    inputs = checked(provider, ctx, bucket=bucket.id, **first)
    setting = created(provider, ctx, inputs)
    imported(provider, ctx, setting.id, inputs)
    if second:
        changed(provider, ctx, setting, inputs, checked(provider, ctx, bucket=bucket.id, **second))
    if kind == "BucketVersioning":  # suspended is as far back as S3 goes
        provider.delete(ctx, setting.id, inputs, setting.outputs)
        assert s3(provider).get_bucket_versioning(Bucket=bucket.id)["Status"] == "Suspended"
    else:
        assert gone(provider, ctx, setting, inputs)
    other = made(provider, BUCKET, f"other-{kind.lower()}")
    moved = checked(provider, ctx, bucket=other.id, **first)
    assert provider.diff(ctx, setting.id, inputs, setting.outputs, moved).replaces == ("bucket",)


def test_canned_list_is_set_and_shown(provider: AwsProvider) -> None:
    bucket = made(provider, BUCKET, "listed")
    rule = {"objectOwnership": "ObjectWriter"}
    made(provider, "aws:s3/bucketOwnershipControls:BucketOwnershipControls", "listed", bucket=bucket.id, rule=rule)
    acl = made(provider, "aws:s3/bucketAcl:BucketAcl", "acl", bucket=bucket.id, acl="public-read")
    assert acl.id == f"{bucket.id},public-read"
    grants = acl.outputs["accessControlPolicy"]["grants"]
    assert {grant["permission"] for grant in grants} == {"FULL_CONTROL", "READ"}
    assert any("AllUsers" in grant["grantee"].get("uri", "") for grant in grants)


def test_log_of_a_bucket_goes_to_another(provider: AwsProvider) -> None:
    target, bucket = made(provider, BUCKET, "log-target"), made(provider, BUCKET, "log-source")
    s3(provider).put_bucket_ownership_controls(
        Bucket=target.id, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    made(provider, "aws:s3/bucketAcl:BucketAcl", "log", bucket=target.id, acl="log-delivery-write")
    ctx = context("aws:s3/bucketLogging:BucketLogging", "log")
    inputs = checked(provider, ctx, bucket=bucket.id, targetBucket=target.id, targetPrefix="requests/")
    logging = created(provider, ctx, inputs)
    assert (logging.outputs["targetBucket"], logging.outputs["targetPrefix"]) == (target.id, "requests/")
    assert gone(provider, ctx, logging, inputs)


def test_object_lives_its_life(provider: AwsProvider, tmp_path: Path) -> None:
    bucket = made(provider, BUCKET, "objects")
    page = tmp_path / "index.html"
    page.write_text("<h1>one</h1>")

    def asset() -> Asset:
        return Asset(path=str(page), hash=hashlib.sha256(page.read_bytes()).hexdigest())

    ctx = context(OBJECT, "index.html")
    inputs = checked(provider, ctx, bucket=bucket.id, source=asset(), contentType="text/html", tags={"page": "1"})
    put = created(provider, ctx, inputs)
    assert (put.id, put.outputs["key"], put.outputs["contentType"]) == ("index.html", "index.html", "text/html")
    assert put.outputs["etag"] == hashlib.md5(page.read_bytes(), usedforsecurity=False).hexdigest()

    page.write_text("<h1>two</h1>")
    news = checked(provider, ctx, bucket=bucket.id, source=asset(), contentType="text/html", tags={"page": "2"})
    assert set(provider.diff(ctx, put.id, inputs, put.outputs, news).diffs) == {"source", "tags", "tagsAll"}
    outputs = changed(provider, ctx, put, inputs, news)
    assert outputs["etag"] != put.outputs["etag"]
    assert outputs["tags"] == {"page": "2"}
    assert s3(provider).get_object(Bucket=bucket.id, Key="index.html")["Body"].read() == b"<h1>two</h1>"
    imported = provider.read(ctx, f"s3://{bucket.id}/index.html", {}, {})
    assert imported.outputs["etag"] == outputs["etag"]

    assert gone(provider, ctx, put, news)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"content": "text"}, b"text"),
        ({"contentBase64": "AAEC"}, b"\0\1\2"),
        ({"source": Asset(text="of an asset")}, b"of an asset"),
        ({}, b""),
    ],
)
def test_object_holds_what_it_was_given(provider: AwsProvider, given: dict[str, Any], stored: bytes) -> None:
    bucket = made(provider, BUCKET, f"held-{len(stored)}")
    made(provider, OBJECT, "held", bucket=bucket.id, key="a/b c", **given)
    assert s3(provider).get_object(Bucket=bucket.id, Key="a/b c")["Body"].read() == stored


def test_what_would_be_ignored_is_refused(provider: AwsProvider) -> None:
    assert "use aws.s3.BucketVersioning" in refused(provider, BUCKET, versioning={"enabled": True})
    assert "conflicts with" in refused(provider, OBJECT, bucket="b", content="a", contentBase64="YQ==")
    assert "archive" in refused(provider, OBJECT, bucket="b", source=Archive(path="site", hash="0"))
    assert "not fetched" in refused(provider, OBJECT, bucket="b", source=Asset(uri="https://shop.example/x"))
    lifecycle = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    assert "at least one rule" in refused(provider, lifecycle, bucket="b")


def test_file_that_cannot_be_read_is_named(provider: AwsProvider) -> None:
    bucket = made(provider, BUCKET, "unread")
    with pytest.raises(ProviderError, match=r"cannot read nowhere\.html: No such file"):
        made(provider, OBJECT, "nowhere", bucket=bucket.id, source=Asset(path="nowhere.html", hash="0"))
