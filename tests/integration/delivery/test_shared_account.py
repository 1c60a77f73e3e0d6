"""The deploy role of dev in an account that prod shares: what it may not do to what prod has, as the sandbox's judge says of whole calls.

Not proven: that AWS fills the conditions in alike. What stays possible stands in docs/security.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from slipway.sandbox.aws.iam.requests import ApiCall, iam_prefix
from tests.identities import ACCOUNT

sys.path.insert(0, str(Path(__file__).parent))

from rights_kit import REGION, refusal_of, role_of

DEV, PROD = ({"environment": name} for name in ("dev", "prod"))


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.Session(region_name=REGION)


def refused(service: str, operation: str, **parameters: Any) -> bool:
    """Whether dev's deploy role may not make the call."""
    call = ApiCall(
        service=service,
        prefix=iam_prefix(service),
        operation=operation,
        region=REGION,
        account=ACCOUNT,
        parameters=parameters,
    )
    return bool(refusal_of(call, role_of("deploy", "dev")))


def pairs(tags: dict[str, str], prefix: str = "") -> list[dict[str, str]]:
    return [{f"{prefix}Key": key, f"{prefix}Value": value} for key, value in tags.items()]


def test_refuses_to_take_keys_of_others_over_and_makes_its_own(account: boto3.Session) -> None:
    kms = account.client("kms")
    mine, others, state = (
        kms.create_key(Tags=pairs(tags, "Tag"))["KeyMetadata"]["Arn"] for tags in (DEV, PROD, dict[str, str]())
    )
    kms.create_alias(AliasName="alias/slipway-state", TargetKeyId=state)
    tagged = {"Tags": pairs(DEV, "Tag")}
    assert not refused("kms", "CreateKey", **tagged)
    assert [refused("kms", "TagResource", KeyId=key, **tagged) for key in (mine, others, state)] == [False, True, True]
    assert refused("kms", "ScheduleKeyDeletion", KeyId=state)


def test_refuses_to_take_certificates_of_others_over_and_requests_its_own(account: boto3.Session) -> None:
    acm = account.client("acm")
    mine, others = (
        acm.request_certificate(DomainName="orders.example.test", Tags=pairs(tags))["CertificateArn"]
        for tags in (DEV, PROD)
    )
    tagged = {"Tags": pairs(DEV)}
    assert not refused("acm", "RequestCertificate", DomainName="orders.example.test", **tagged)
    found = [refused("acm", "AddTagsToCertificate", CertificateArn=each, **tagged) for each in (mine, others)]
    assert found == [False, True]


def test_refuses_to_say_whose_the_secret_of_another_database_is(account: boto3.Session) -> None:
    key = "aws:rds:primaryDBInstanceArn"
    database = {name: f"arn:aws:rds:{REGION}:{ACCOUNT}:db:orders-{name}-postgresql" for name in ("dev", "prod")}
    secret = account.client("secretsmanager").create_secret(
        Name="rds!db-prod", SecretString="x", Tags=pairs({key: database["prod"]})
    )["ARN"]
    assert refused("secretsmanager", "TagResource", SecretId=secret, Tags=pairs({key: database["dev"]}))
    assert not refused("secretsmanager", "CreateSecret", Name="rds!db-dev", Tags=pairs({key: database["dev"]}))


def test_refuses_to_change_the_group_of_another_cluster(account: boto3.Session) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    (default,) = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    eks = {
        name: ec2.create_security_group(
            GroupName=f"eks-cluster-sg-orders-{name}",
            Description="x",
            VpcId=vpc,
            TagSpecifications=[
                {"ResourceType": "security-group", "Tags": pairs({"aws:eks:cluster-name": f"orders-{name}"})}
            ],
        )["GroupId"]
        for name in ("dev", "prod")
    }
    groups = (default["GroupId"], eks["dev"], eks["prod"])
    rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": eks["prod"]}]}]
    revoked = [refused("ec2", "RevokeSecurityGroupIngress", GroupId=each, IpPermissions=rule) for each in groups]
    assert revoked == [False, False, True]
    tagged = [refused("ec2", "CreateTags", Resources=[each], Tags=pairs(DEV)) for each in groups]
    assert tagged == [False, True, True]
