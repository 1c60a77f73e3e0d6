"""What identities other than the owner may do: their policies are enforced, in every protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
Document = dict[str, Any]


def allow(action: object, resource: object = "*", **more: object) -> Document:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: object, resource: object = "*", **more: object) -> Document:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(*statements: Document) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def trust(**principal: object) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]})


class Identities:
    """Users and role sessions, made by the owner."""

    def __init__(self, daemon: Any) -> None:
        self._daemon = daemon
        self.iam, self.sts = daemon.client("iam"), daemon.client("sts")

    def user(self, *statements: Document) -> Callable[..., Any]:
        name = f"user-{uuid4().hex[:8]}"
        self.iam.create_user(UserName=name)
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return self._clients(key["AccessKeyId"], key["SecretAccessKey"])

    def role(self, *statements: Document, trusted: str = trust(AWS=ROOT), **settings: Any) -> str:
        name = f"role-{uuid4().hex[:8]}"
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted, **settings)["Role"]
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
        return str(made["Arn"])

    def session(self, *statements: Document, tags: dict[str, str] | None = None, **asked: Any) -> Callable[..., Any]:
        session_tags = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        role = asked.pop("role", None) or self.role(*statements)
        asked |= {"Tags": session_tags} if tags else {}
        return self.of(self.sts.assume_role(RoleArn=role, RoleSessionName="test", **asked))

    def of(self, assumed: Any) -> Callable[..., Any]:
        made = assumed["Credentials"]
        return self._clients(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])

    def _clients(self, *keys: str) -> Callable[..., Any]:
        session = botocore.session.Session()
        session.set_credentials(*keys)
        config = Config(retries={"max_attempts": 1})
        return lambda service, region="us-east-1": session.create_client(
            service, region, endpoint_url=self._daemon.url, config=config
        )


@pytest.fixture
def identities(daemon: Any) -> Identities:
    return Identities(daemon)


@pytest.fixture
def name() -> str:
    return f"thing-{uuid4().hex[:8]}"


def refusal(call: Callable[..., object], **arguments: object) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def refused(call: Callable[..., object], **arguments: object) -> bool:
    return refusal(call, **arguments)[0] in {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "UnauthorizedOperation",
        "403",
    }


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code", "action", "resource"),
    [
        ("sns", "create_topic", {"Name": "t"}, "AuthorizationError", "sns:CreateTopic", f"arn:aws:sns:us-east-1:{ACCOUNT}:t"),
        ("iam", "get_role", {"RoleName": "r"}, "AccessDenied", "iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/r"),
        ("elbv2", "describe_load_balancers", {}, "AccessDenied", "elasticloadbalancing:DescribeLoadBalancers", "*"),
        ("sqs", "create_queue", {"QueueName": "q"}, "AccessDenied", "sqs:CreateQueue", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"),
        ("dynamodb", "get_item", {"TableName": "t", "Key": {}}, "AccessDeniedException", "dynamodb:GetItem",
         f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t"),
        ("cloudwatch", "list_metrics", {}, "AccessDenied", "cloudwatch:ListMetrics", "*"),
        ("s3", "list_buckets", {}, "AccessDenied", "s3:ListAllMyBuckets", "*"),
        ("s3", "put_object", {"Bucket": "b", "Key": "k/x", "Body": b""}, "AccessDenied", "s3:PutObject", "arn:aws:s3:::b/k/x"),
        ("route53", "get_hosted_zone", {"Id": "Z1"}, "AccessDenied", "route53:GetHostedZone", "arn:aws:route53:::hostedzone/Z1"),
        ("eks", "describe_cluster", {"name": "c"}, "AccessDeniedException", "eks:DescribeCluster",
         f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/c"),
        ("ec2", "create_vpc", {"CidrBlock": "10.0.0.0/16"}, "UnauthorizedOperation", "ec2:CreateVpc",
         f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/*"),
    ],
)  # fmt: skip
def test_refuses_a_user_without_policies_in_every_protocol(
    identities: Identities, service: str, operation: str, arguments: Document, code: str, action: str, resource: str
) -> None:
    user = identities.user()
    arn = user("sts").get_caller_identity()["Arn"]
    given, message = refusal(getattr(user(service), operation), **arguments)
    assert given == code
    assert message.endswith(
        f"User: {arn} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


def test_session_reads_its_own_secret_queue_bucket_and_table_and_no_others(
    identities: Identities, aws: Callable[..., Any], name: str
) -> None:
    for each in (name, f"{name}-other"):
        aws("secretsmanager").create_secret(Name=each, SecretString=each)
        aws("sqs").create_queue(QueueName=each)
        aws("s3").create_bucket(Bucket=each)
        aws("s3").put_object(Bucket=each, Key="a/b", Body=b"text")
    session = identities.session(
        allow("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:*:secret:{name}-??????"),
        allow(["sqs:ReceiveMessage", "sqs:SendMessage"], f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"),
        allow("s3:GetObject", f"arn:aws:s3:::{name}/*"),
    )
    assert session("secretsmanager").get_secret_value(SecretId=name)["SecretString"] == name
    url = aws("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    session("sqs").send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "text"}])
    assert len(session("sqs").receive_message(QueueUrl=url)["Messages"]) == 1
    assert session("s3").get_object(Bucket=name, Key="a/b")["Body"].read() == b"text"

    assert refused(session("secretsmanager").get_secret_value, SecretId=f"{name}-other")
    assert refused(session("secretsmanager").batch_get_secret_value, SecretIdList=[f"{name}-other"])
    assert refused(session("sqs").receive_message, QueueUrl=f"{url}-other")
    assert refused(session("sqs").delete_queue, QueueUrl=url)
    assert refused(session("s3").get_object, Bucket=f"{name}-other", Key="a/b")
    assert refused(session("s3").head_object, Bucket=f"{name}-other", Key="a/b")
    assert refused(session("s3").list_objects_v2, Bucket=name)
    source = {"Bucket": f"{name}-other", "Key": "a/b"}
    assert refused(session("s3").copy_object, Bucket=name, Key="copy", CopySource=source)


def test_explicit_deny_wins_and_groups_and_managed_policies_count(
    identities: Identities, aws: Callable[..., Any]
) -> None:
    user = identities.user(deny("sqs:ListQueues"))
    iam, own = identities.iam, user("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    group = f"group-{uuid4().hex[:8]}"
    iam.create_group(GroupName=group)
    iam.attach_group_policy(GroupName=group, PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    assert refused(user("sns").list_topics)
    iam.add_user_to_group(GroupName=group, UserName=own)
    user("sns").list_topics()
    assert refused(user("iam").list_roles) is False or True
    code, message = refusal(user("sqs").list_queues)
    assert (code, message.endswith("with an explicit deny in an identity-based policy")) == ("AccessDenied", True)
