"""What the owner of an access key may do with the registry's repositories, by the policies of the moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from slipway.sandbox.aws.ecr.access import READ, UPLOAD, WRITE, refuse_use


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "owner")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def grant(resource: str, *actions: str) -> None:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    boto3.client("iam").put_user_policy(UserName="ci", PolicyName="own", PolicyDocument=document)


def test_rights_are_those_of_the_repository_at_the_moment_of_use() -> None:
    iam, ecr = boto3.client("iam"), boto3.client("ecr", "us-east-1")
    iam.create_user(UserName="ci")
    key = iam.create_access_key(UserName="ci")["AccessKey"]["AccessKeyId"]
    mine, _ = (ecr.create_repository(repositoryName=name)["repository"]["repositoryArn"] for name in ("mine", "other"))
    assert "ecr:PutImage" in refuse_use(key, "mine", WRITE)
    grant(mine, "ecr:PutImage", "ecr:BatchGetImage", "ecr:InitiateLayerUpload")
    assert [refuse_use(key, "mine", actions) for actions in (WRITE, READ)] == ["", ""]
    assert "ecr:UploadLayerPart" in refuse_use(key, "mine", UPLOAD)
    assert "not authorized to perform: ecr:PutImage" in refuse_use(key, "other", WRITE)
    assert "does not exist" in refuse_use(key, "absent", WRITE)
    assert refuse_use(key, "library/nginx", READ) == ""
    assert refuse_use(key, "library/nginx", WRITE)
    assert refuse_use(os.environ["AWS_ACCESS_KEY_ID"], "other", WRITE) == ""
    # Of the same name elsewhere, it shares its images: somebody who may make one gets no right on this by it.
    boto3.client("ecr", "eu-west-1").create_repository(repositoryName="mine")
    assert "eu-west-1" in refuse_use(key, "mine", WRITE)
    iam.update_access_key(UserName="ci", AccessKeyId=key, Status="Inactive")
    assert "is gone" in refuse_use(key, "mine", READ)
