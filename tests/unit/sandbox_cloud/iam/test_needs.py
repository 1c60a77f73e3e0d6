"""Which actions on which resources a call needs; and that each operation leads to an action that IAM has."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model, method_names_from_class

from slipway.sandbox.aws.iam.actions import FREE, operation_action
from slipway.sandbox.aws.iam.context import FROM_PARAMETERS, lookup_for
from slipway.sandbox.aws.iam.reference import resource_types
from slipway.sandbox.aws.iam.requests import ApiCall, iam_prefix
from slipway.sandbox.aws.iam.resources import needs_of
from slipway.sandbox.aws.iam.special_resources import SPECIAL

ACCOUNT = "123456789012"
HERE = f"us-east-1:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/passed"
BALANCER = f"arn:aws:elasticloadbalancing:{HERE}:loadbalancer/app/web/1"
LISTENER = f"arn:aws:elasticloadbalancing:{HERE}:listener/app/web/1/2"
TARGETS = f"arn:aws:elasticloadbalancing:{HERE}:targetgroup/blue/3"

SERVICES = (
    "acm", "cloudwatch", "dynamodb", "ec2", "ecr", "eks", "elbv2", "iam", "kms", "logs", "rds", "route53", "s3", "s3control",
    "secretsmanager", "sns", "sqs", "sts",
)  # fmt: skip
UNKNOWN = {
    # Its name in IAM differs, and it needs several actions.
    "dynamodb:ExecuteStatement": "PartiQL", "dynamodb:BatchExecuteStatement": "PartiQL", "dynamodb:ExecuteTransaction": "PartiQL",
    "dynamodb:TransactGetItems": "an action for each item", "dynamodb:TransactWriteItems": "an action for each item",
    "kms:ReEncrypt": "kms:ReEncryptFrom and kms:ReEncryptTo",
}  # fmt: skip
"""Operations without an action of their own, and what is needed in its place."""


def call(service: str, operation: str, **parameters: Any) -> ApiCall:
    prefix = iam_prefix(service)
    return ApiCall(
        service=service, prefix=prefix, operation=operation, region="us-east-1", account=ACCOUNT, parameters=parameters
    )


def served(service: str) -> set[str]:
    """The operations that moto or the sandbox answers."""
    for module in (f"slipway.sandbox.aws.{service}.responses", f"moto.{service}.responses"):
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        methods = {
            name
            for kind in vars(found).values()
            if isinstance(kind, type) and issubclass(kind, BaseResponse)
            for name in method_names_from_class(kind)
        }
        names = get_service_model(service).operation_names
        return {name for name in names if camelcase_to_underscores(name) in methods}
    raise AssertionError(service)


@pytest.mark.parametrize("service", SERVICES)
def test_each_operation_that_is_answered_has_an_action_of_iam(service: str) -> None:
    operations = served(service)
    assert operations
    missing = {
        f"{service}:{operation}"
        for operation in operations
        if (service, operation) not in FREE
        and resource_types(iam_prefix(service), operation_action(service, operation)) is None
    }
    assert missing <= set(UNKNOWN)
    assert all((service, name.partition(":")[2]) in SPECIAL or (service, "") in SPECIAL for name in missing)


@pytest.mark.parametrize(
    ("asked", "needs"),
    [
        (call("sts", "GetCallerIdentity"), []),
        (call("sqs", "SendMessageBatch", QueueUrl="http://x/1/q"), [f"sqs:SendMessage arn:aws:sqs:{HERE}:q"]),
        (call("sqs", "ListQueues"), ["sqs:ListQueues *"]),
        (call("sns", "PublishBatch", TopicArn=f"arn:aws:sns:{HERE}:t"), [f"sns:Publish arn:aws:sns:{HERE}:t"]),
        (call("s3", "ListObjectsV2", Bucket="b"), ["s3:ListBucket arn:aws:s3:::b"]),
        (call("s3", "GetObject", Bucket="b", Key="k", VersionId="1"), ["s3:GetObjectVersion arn:aws:s3:::b/k"]),
        (call("s3", "PutBucketPolicy", Bucket="b"), ["s3:PutBucketPolicy arn:aws:s3:::b"]),
        (call("s3", "DeleteObjects", Bucket="b", Delete={"Objects": [{"Key": "x"}, {"Key": "y", "VersionId": "1"}]}),
         ["s3:DeleteObject arn:aws:s3:::b/x", "s3:DeleteObjectVersion arn:aws:s3:::b/y"]),
        (call("s3", "CopyObject", Bucket="b", Key="k", CopySource="/a/x%20y?versionId=1"),
         ["s3:PutObject arn:aws:s3:::b/k", "s3:GetObjectVersion arn:aws:s3:::a/x y"]),
        (call("s3", "PutObject", Bucket="b", Key="k", ACL="public-read", Tagging="a=b"),
         ["s3:PutObject arn:aws:s3:::b/k", "s3:PutObjectAcl arn:aws:s3:::b/k", "s3:PutObjectTagging arn:aws:s3:::b/k"]),
        (call("dynamodb", "Query", TableName="t", IndexName="i"), [f"dynamodb:Query arn:aws:dynamodb:{HERE}:table/t/index/i"]),
        (call("dynamodb", "BatchWriteItem", RequestItems={"t": [], "u": []}),
         [f"dynamodb:BatchWriteItem arn:aws:dynamodb:{HERE}:table/t", f"dynamodb:BatchWriteItem arn:aws:dynamodb:{HERE}:table/u"]),
        (call("dynamodb", "TransactWriteItems", TransactItems=[{"Put": {"TableName": "t"}}, {"Delete": {"TableName": "u"}}]),
         [f"dynamodb:PutItem arn:aws:dynamodb:{HERE}:table/t", f"dynamodb:DeleteItem arn:aws:dynamodb:{HERE}:table/u"]),
        (call("logs", "PutLogEvents", logGroupName="/g", logStreamName="s"),
         [f"logs:PutLogEvents arn:aws:logs:{HERE}:log-group:/g:log-stream:s"]),
        (call("logs", "CreateLogGroup", logGroupName="/g"), [f"logs:CreateLogGroup arn:aws:logs:{HERE}:log-group:/g:log-stream:"]),
        (call("ec2", "DescribeVpcs"), ["ec2:DescribeVpcs *"]),
        (call("ec2", "CreateSubnet", VpcId="vpc-1", TagSpecifications=[{"Tags": [{"Key": "a", "Value": "b"}]}]),
         [f"ec2:CreateSubnet arn:aws:ec2:{HERE}:subnet/*", f"ec2:CreateSubnet arn:aws:ec2:{HERE}:vpc/vpc-1",
          f"ec2:CreateTags arn:aws:ec2:{HERE}:subnet/*"]),
        (call("ec2", "AuthorizeSecurityGroupIngress", GroupName="sg-1",
              IpPermissions=[{"UserIdGroupPairs": [{"GroupId": "sg-2"}]}]),
         [f"ec2:AuthorizeSecurityGroupIngress arn:aws:ec2:{HERE}:security-group/sg-*"]),
        (call("ec2", "CreateTags", Resources=["vpc-1", "sg-2"]),
         [f"ec2:CreateTags arn:aws:ec2:{HERE}:vpc/vpc-1", f"ec2:CreateTags arn:aws:ec2:{HERE}:security-group/sg-2"]),
        (call("elbv2", "CreateLoadBalancer", Name="web"),
         [f"elasticloadbalancing:CreateLoadBalancer arn:aws:elasticloadbalancing:{HERE}:loadbalancer/app/web/*"]),
        (call("elbv2", "DeleteLoadBalancer", LoadBalancerArn=BALANCER), [f"elasticloadbalancing:DeleteLoadBalancer {BALANCER}"]),
        (call("elbv2", "ModifyListener", ListenerArn=LISTENER, DefaultActions=[{"TargetGroupArn": TARGETS}]),
         [f"elasticloadbalancing:ModifyListener {LISTENER}"]),
        (call("eks", "DescribeNodegroup", clusterName="c", nodegroupName="n"),
         [f"eks:DescribeNodegroup arn:aws:eks:{HERE}:nodegroup/c/n/*"]),
        (call("eks", "DescribeAccessEntry", clusterName="c", principalArn=ROLE),
         [f"eks:DescribeAccessEntry arn:aws:eks:{HERE}:access-entry/c/role/{ACCOUNT}/passed/*"]),
        (call("eks", "CreateNodegroup", clusterName="c", nodegroupName="n", nodeRole=ROLE),
         [f"eks:CreateNodegroup arn:aws:eks:{HERE}:cluster/c", f"iam:PassRole {ROLE}"]),
        (call("eks", "CreatePodIdentityAssociation", clusterName="c", roleArn=ROLE, targetRoleArn=f"{ROLE}-2"),
         [f"eks:CreatePodIdentityAssociation arn:aws:eks:{HERE}:cluster/c", f"iam:PassRole {ROLE}"]),
        (call("eks", "CreateAccessEntry", clusterName="c", principalArn=ROLE),
         [f"eks:CreateAccessEntry arn:aws:eks:{HERE}:cluster/c"]),
        (call("rds", "ModifyDBInstance", DBInstanceIdentifier="Main", MonitoringRoleArn=ROLE),
         [f"rds:ModifyDBInstance arn:aws:rds:{HERE}:db:main", f"iam:PassRole {ROLE}"]),
        (call("ecr", "PutImage", repositoryName="team/app"), [f"ecr:PutImage arn:aws:ecr:{HERE}:repository/team/app"]),
        (call("cloudwatch", "DeleteAlarms", AlarmNames=["a", "b"]),
         [f"cloudwatch:DeleteAlarms arn:aws:cloudwatch:{HERE}:alarm:a", f"cloudwatch:DeleteAlarms arn:aws:cloudwatch:{HERE}:alarm:b"]),
        (call("route53", "ChangeResourceRecordSets", HostedZoneId="/hostedzone/Z1"),
         ["route53:ChangeResourceRecordSets arn:aws:route53:::hostedzone/Z1"]),
        (call("iam", "CreateRole", RoleName="r", Path="/ci/"), [f"iam:CreateRole arn:aws:iam::{ACCOUNT}:role/ci/r"]),
        (call("iam", "AttachRolePolicy", RoleName="r", PolicyArn="arn:aws:iam::aws:policy/X"),
         [f"iam:AttachRolePolicy arn:aws:iam::{ACCOUNT}:role/r"]),
        (call("secretsmanager", "CreateSecret", Name="s"), [f"secretsmanager:CreateSecret arn:aws:secretsmanager:{HERE}:secret:s-*"]),
        (call("secretsmanager", "BatchGetSecretValue", Filters=[{"Key": "name"}]),
         ["secretsmanager:BatchGetSecretValue *", f"secretsmanager:GetSecretValue arn:aws:secretsmanager:{HERE}:secret:*"]),
        (call("kms", "Decrypt", KeyId="missing"), [f"kms:Decrypt arn:aws:kms:{HERE}:key/*"]),
        # Names and ARNs elsewhere in the request do not stand for what it is about.
        (call("ecr", "BatchGetImage", repositoryName="other", imageIds=[{"imageTag": f"arn:aws:ecr:{HERE}:repository/own"}]),
         [f"ecr:BatchGetImage arn:aws:ecr:{HERE}:repository/own", f"ecr:BatchGetImage arn:aws:ecr:{HERE}:repository/other"]),
        (call("rds", "ModifyDBInstance", DBInstanceIdentifier="other", MasterUserPassword=f"arn:aws:rds:{HERE}:db:own"),
         [f"rds:ModifyDBInstance arn:aws:rds:{HERE}:db:own", f"rds:ModifyDBInstance arn:aws:rds:{HERE}:db:other"]),
        (call("sns", "CreateTopic", Name="other", Tags=[{"Key": "x", "Value": f"arn:aws:sns:{HERE}:own"}]),
         [f"sns:CreateTopic arn:aws:sns:{HERE}:other"]),
        (call("dynamodb", "RestoreTableToPointInTime", SourceTableName="other", TargetTableName="own"),
         [f"dynamodb:RestoreTableToPointInTime arn:aws:dynamodb:{HERE}:table/other",
          f"dynamodb:RestoreTableToPointInTime arn:aws:dynamodb:{HERE}:table/own"]),
        (call("s3", "CopyObject", Bucket="b", Key="k", CopySource="//b/other/k?x&versionId=1"),
         ["s3:PutObject arn:aws:s3:::b/k", "s3:GetObjectVersion arn:aws:s3:::other/k"]),
        (call("s3", "CopyObject", Bucket="b", Key="k", CopySource="//[b/k"),
         ["s3:PutObject arn:aws:s3:::b/k", "s3:GetObject arn:aws:s3:::*"]),
        (call("iam", "UpdateUser", UserName="u", NewPath="/ops/", NewUserName="v"),
         [f"iam:UpdateUser arn:aws:iam::{ACCOUNT}:user/u", f"iam:UpdateUser arn:aws:iam::{ACCOUNT}:user/ops/v"]),
        (call("sts", "AssumeRole", RoleArn=ROLE, Tags=[{"Key": "a", "Value": "b"}], SourceIdentity="ada"),
         [f"sts:AssumeRole {ROLE}", f"sts:TagSession {ROLE}", f"sts:SetSourceIdentity {ROLE}"]),
    ],
    ids=lambda value: f"{value.service}:{value.operation}" if isinstance(value, ApiCall) else "",
)  # fmt: skip
def test_call_needs(asked: ApiCall, needs: list[str]) -> None:
    assert [f"{need.action} {need.resource}" for need in needs_of(asked)] == needs


def test_conditions_know_the_request() -> None:
    asked = call("sns", "CreateTopic", Name="t", Tags=[{"Key": "Team", "Value": "shop"}])
    lookup = lookup_for(
        asked,
        needs_of(asked)[0],
        identity_keys={"aws:principaltag/team": ("shop",)},
        resource_account=ACCOUNT,
        tags_of_resource=lambda arn: {"Stage": arn.rpartition(":")[2]},
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    keys = (
        "aws:RequestTag/Team", "aws:TagKeys", "aws:PrincipalTag/Team", "aws:ResourceTag/stage", "aws:ResourceTag/none",
        "aws:RequestedRegion", "aws:EpochTime", "aws:SecureTransport", "aws:ResourceAccount", "sns:Protocol",
    )  # fmt: skip
    assert [lookup(key) for key in keys] == [
        ("shop",), ("Team",), ("shop",), ("t",), (), ("us-east-1",), ("1767225600",), ("true",), (ACCOUNT,), (),
    ]  # fmt: skip
    assert all(key == key.lower() for _, key in FROM_PARAMETERS)
