"""What identities other than the owner may do: their policies are enforced, in every protocol."""

from __future__ import annotations

import gzip
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.session
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from slipway.sandbox.aws.iam import web_identity
from slipway.sandbox.aws.iam.web_identity import WebIdentityError, fetch_keys
from tests.identities import ACCOUNT, Document, Identities, allow, deny, document, refusal, refused, tampered
from tests.integration.sandbox_cloud.conftest import ApiDaemon


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
def test_refuses_a_user_without_policies_in_every_protocol(  # noqa: PLR0917 - the table's columns
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


def test_explicit_deny_wins_and_policies_of_groups_count(identities: Identities, name: str) -> None:
    user, iam = identities.user(deny("sqs:ListQueues")), identities.iam
    iam.create_group(GroupName=name)
    iam.attach_group_policy(GroupName=name, PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    assert refused(user("sns").list_topics)
    iam.add_user_to_group(GroupName=name, UserName=user("sts").get_caller_identity()["Arn"].rpartition("/")[2])
    user("sns").list_topics()
    assert refused(user("iam").list_users)
    code, message = refusal(user("sqs").list_queues)
    assert (code, message.partition(" with ")[2]) == ("AccessDenied", "an explicit deny in an identity-based policy")


def test_managed_policy_counts_by_its_default_version(identities: Identities, name: str) -> None:
    iam = identities.iam
    policy = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("sns:*")))["Policy"]["Arn"]
    role = identities.role()
    iam.attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=policy)
    session = identities.session(role=role)
    session("sns").list_topics()
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=document(allow("sqs:*")), SetAsDefault=True)
    assert refused(session("sns").list_topics)
    session("sqs").list_queues()


def test_boundary_and_session_policies_limit(identities: Identities, name: str) -> None:
    iam = identities.iam
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=document(allow(["sns:*", "sts:*"])))["Policy"]["Arn"]
    everything = allow("*")
    role = identities.role(everything, PermissionsBoundary=boundary)
    limited = identities.session(role=role)
    limited("sns").list_topics()
    _, message = refusal(limited("sqs").list_queues)
    assert message.endswith("because no permissions boundary allows the sqs:ListQueues action")

    user = identities.user(everything)
    iam.put_user_permissions_boundary(
        UserName=user("sts").get_caller_identity()["Arn"].rpartition("/")[2], PermissionsBoundary=boundary
    )
    user("sns").list_topics()
    assert refused(user("sqs").list_queues)

    session = identities.session(everything, Policy=document(allow("sns:*")), PolicyArns=[{"arn": boundary}])
    session("sns").list_topics()
    _, message = refusal(session("sqs").list_queues)
    assert message.endswith("because no session policy allows the sqs:ListQueues action")


def test_role_is_taken_only_by_whom_it_trusts(identities: Identities) -> None:
    named, other = identities.user(), identities.user(allow("sts:AssumeRole"))
    arn = named("sts").get_caller_identity()["Arn"]
    role = identities.role(
        trusted=document({
            "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "shop"}},
        })
    )  # fmt: skip
    named("sts").assume_role(RoleArn=role, RoleSessionName="test", ExternalId="shop")
    assert refused(named("sts").assume_role, RoleArn=role, RoleSessionName="test")
    _, message = refusal(other("sts").assume_role, RoleArn=role, RoleSessionName="test", ExternalId="shop")
    assert message.endswith("because no resource-based policy allows the sts:AssumeRole action")

    of_account = identities.role()
    assert refused(named("sts").assume_role, RoleArn=of_account, RoleSessionName="test")
    other("sts").assume_role(RoleArn=of_account, RoleSessionName="test")
    tagged = {"RoleArn": of_account, "RoleSessionName": "test", "Tags": [{"Key": "a", "Value": "b"}]}
    assert "sts:TagSession" in refusal(other("sts").assume_role, **tagged)[1]
    missing = f"arn:aws:iam::{ACCOUNT}:role/missing"
    assert refused(other("sts").assume_role, RoleArn=missing, RoleSessionName="test")


def test_session_lasts_as_long_as_its_role_allows_and_a_chained_one_an_hour(identities: Identities) -> None:
    role = identities.role(allow("sts:AssumeRole"))
    asked = {"RoleArn": role, "RoleSessionName": "long"}
    with pytest.raises(ClientError, match="MaxSessionDuration set for this role"):
        identities.sts.assume_role(**asked, DurationSeconds=3601)
    longer = identities.role(MaxSessionDuration=7200)
    assert identities.sts.assume_role(RoleArn=longer, RoleSessionName="long", DurationSeconds=7200)["Credentials"]
    chained = identities.session(allow("sts:AssumeRole"))("sts")
    with pytest.raises(ClientError, match="role chaining"):
        chained.assume_role(RoleArn=longer, RoleSessionName="long", DurationSeconds=3601)


def test_key_is_used_as_its_own_policy_says(identities: Identities, aws: Callable[..., Any]) -> None:
    kms = aws("kms")
    session = identities.session(allow("kms:*"))
    delegated = kms.create_key()["KeyMetadata"]["Arn"]
    encrypted = session("kms").encrypt(KeyId=delegated, Plaintext=b"text")["CiphertextBlob"]
    own = document(allow("kms:Decrypt", Principal={"AWS": session("sts").get_caller_identity()["Arn"]}))
    kms.put_key_policy(KeyId=delegated, PolicyName="default", Policy=own, BypassPolicyLockoutSafetyCheck=True)
    assert session("kms").decrypt(CiphertextBlob=encrypted)["Plaintext"] == b"text"
    _, message = refusal(session("kms").encrypt, KeyId=delegated, Plaintext=b"text")
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")
    assert refused(identities.session(allow("kms:*"))("kms").decrypt, CiphertextBlob=encrypted)


def test_policies_of_buckets_queues_topics_and_secrets_allow_and_deny(
    identities: Identities, aws: Callable[..., Any], name: str
) -> None:
    user = identities.user()
    principal = {"AWS": user("sts").get_caller_identity()["Arn"]}
    aws("s3").create_bucket(Bucket=name)
    bucket = document(allow("s3:ListBucket", f"arn:aws:s3:::{name}", Principal=principal))
    aws("s3").put_bucket_policy(Bucket=name, Policy=bucket)
    assert user("s3").list_objects_v2(Bucket=name)["KeyCount"] == 0
    assert refused(user("s3").put_object, Bucket=name, Key="x", Body=b"")

    url = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    queue = document(allow("sqs:SendMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}", Principal=principal))
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": queue})
    user("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert refused(user("sqs").receive_message, QueueUrl=url)

    topic = aws("sns").create_topic(Name=name)["TopicArn"]
    assert refused(user("sns").publish, TopicArn=topic, Message="x")
    aws("sns").set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=document(allow("sns:Publish", topic, Principal=principal)),
    )
    user("sns").publish(TopicArn=topic, Message="x")

    secret = aws("secretsmanager").create_secret(Name=name, SecretString="x")["ARN"]
    reader = identities.session(allow("secretsmanager:GetSecretValue", secret))
    assert reader("secretsmanager").get_secret_value(SecretId=name)["SecretString"] == "x"
    policy = document(deny("secretsmanager:GetSecretValue", Principal="*"))
    aws("secretsmanager").put_resource_policy(SecretId=name, ResourcePolicy=policy)
    assert refused(reader("secretsmanager").get_secret_value, SecretId=name)


def test_session_tags_are_principal_tags_and_go_on_where_they_are_transitive(
    identities: Identities, aws: Callable[..., Any], name: str
) -> None:
    for tag in ("orders", "billing"):
        aws("secretsmanager").create_secret(
            Name=f"{name}-{tag}", SecretString=tag, Tags=[{"Key": "kubernetes-service-account", "Value": tag}]
        )
    same_tag = {"StringEquals": {
        "secretsmanager:ResourceTag/kubernetes-service-account": "${aws:PrincipalTag/kubernetes-service-account}"
    }}  # fmt: skip
    role = identities.role(allow("secretsmanager:GetSecretValue", Condition=same_tag), allow("sts:*"))
    session = identities.session(
        role=role, tags={"kubernetes-service-account": "orders"}, TransitiveTagKeys=["kubernetes-service-account"]
    )
    next_session = identities.of(session("sts").assume_role(RoleArn=role, RoleSessionName="next"))
    for each in (session, next_session):
        assert each("secretsmanager").get_secret_value(SecretId=f"{name}-orders")["SecretString"] == "orders"
        assert refused(each("secretsmanager").get_secret_value, SecretId=f"{name}-billing")


def test_handing_over_a_role_needs_pass_role(identities: Identities, name: str) -> None:
    passed, other = identities.role(), identities.role()
    to_eks = {"StringEquals": {"iam:PassedToService": "eks.amazonaws.com"}}
    user = identities.user(allow("eks:CreateCluster"), allow("iam:PassRole", passed, Condition=to_eks))
    network = {"subnetIds": []}
    _, message = refusal(user("eks").create_cluster, name=name, roleArn=other, resourcesVpcConfig=network)
    assert f"iam:PassRole on resource: {other}" in message
    user("eks").create_cluster(name=name, roleArn=passed, resourcesVpcConfig=network)
    identities.owner("eks").delete_cluster(name=name)


def test_other_account_needs_both_sides(identities: Identities, aws: Callable[..., Any], name: str) -> None:
    away = "222222222222"
    aws("s3").create_bucket(Bucket=name)
    role = f"arn:aws:iam::{away}:role/OrganizationAccountAccessRole"
    guest = identities.of(identities.sts.assume_role(RoleArn=role, RoleSessionName="test"))
    assert guest("sts").get_caller_identity()["Account"] == away
    guest("sqs").create_queue(QueueName=name)
    assert name not in str(aws("sqs").list_queues().get("QueueUrls"))
    _, message = refusal(guest("s3").list_objects_v2, Bucket=name)
    assert message.endswith("because no resource-based policy allows the s3:ListBucket action")
    policy = document(allow("s3:ListBucket", f"arn:aws:s3:::{name}", Principal={"AWS": away}))
    aws("s3").put_bucket_policy(Bucket=name, Policy=policy)
    guest("s3").list_objects_v2(Bucket=name)


def test_simulation_says_what_the_requests_get(identities: Identities, name: str) -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    tagged = {"StringEquals": {"aws:RequestTag/team": "shop"}}
    role = identities.role(allow("sqs:*", queue), deny("sqs:DeleteQueue"), allow("sns:*", Condition=tagged))
    results = identities.iam.simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=["sqs:SendMessage", "sqs:DeleteQueue", "kms:Decrypt", "sns:CreateTopic"],
        ResourceArns=[queue],
    )["EvaluationResults"]
    decisions = {each["EvalActionName"]: each["EvalDecision"] for each in results}
    assert decisions == {
        "sqs:SendMessage": "allowed", "sqs:DeleteQueue": "explicitDeny", "kms:Decrypt": "implicitDeny",
        "sns:CreateTopic": "implicitDeny",
    }  # fmt: skip
    assert results[3]["MissingContextValues"] == ["aws:RequestTag/team"]
    owner = identities.sts.get_caller_identity()["Arn"]
    found = identities.iam.simulate_principal_policy(PolicySourceArn=owner, ActionNames=["iam:CreateUser"])
    assert found["EvaluationResults"][0]["EvalDecision"] == "allowed"


LATE = """
from datetime import timedelta
from slipway.sandbox.aws import callers
from slipway.sandbox.daemon import DaemonOptions, run
from slipway.sandbox.paths import SandboxPaths
now = callers.utcnow
callers.utcnow = lambda: now() + timedelta(hours=2)
run(SandboxPaths.from_environment(), DaemonOptions(port=0, api_only=True))
"""
"""A daemon that takes a session of one hour for ended."""


def test_refuses_an_expired_session(tmp_path: Path) -> None:
    late = ApiDaemon(tmp_path, ("-c", LATE))
    late.start()
    identities = Identities(late)
    session = identities.of(late.client("sts").assume_role(RoleArn=identities.role(allow("*")), RoleSessionName="test"))
    for service, operation, code in (
        ("sts", "get_caller_identity", "ExpiredToken"),
        ("dynamodb", "list_tables", "ExpiredTokenException"),
        ("ec2", "describe_vpcs", "RequestExpired"),
        ("s3", "list_buckets", "ExpiredToken"),
    ):
        assert refusal(getattr(session(service), operation))[0] == code
    late.end(signal.SIGTERM)


def test_object_keeps_its_content_encoding_whoever_stores_it(
    identities: Identities, aws: Callable[..., Any], name: str
) -> None:
    aws("s3").create_bucket(Bucket=name)
    packed = gzip.compress(b"text")
    for client in (aws("s3"), identities.user(allow("s3:*"))("s3")):
        client.put_object(Bucket=name, Key="k", Body=packed, ContentEncoding="gzip")
        kept = client.get_object(Bucket=name, Key="k")
        assert (kept["ContentEncoding"], kept["Body"].read()) == ("gzip", packed)


def set_body(request: Any, text: str) -> None:
    request.data = text.encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda request: set_body(request, '{"TableName": "own", "x": "&Action=DeleteTable&TableName=other&"}'),
        lambda request: request.headers.add_header("x-moto-account-id", "222222222222"),
    ],
    ids=["body that reads like a form", "account"],
)
def test_nothing_else_runs_than_what_was_judged(
    identities: Identities, aws: Callable[..., Any], change: Callable[[Any], None]
) -> None:
    settings: Document = {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    dynamodb = aws("dynamodb")
    for table in {"own", "other"} - set(dynamodb.list_tables()["TableNames"]):
        dynamodb.create_table(TableName=table, **settings)
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/own"
    user = identities.user(allow("dynamodb:DescribeTable", arn))
    assert tampered(user("dynamodb"), change).describe_table(TableName="own")["Table"]["TableArn"] == arn
    assert {"own", "other"} <= set(dynamodb.list_tables()["TableNames"])


def test_refuses_an_address_that_asks_for_something_else_as_well(identities: Identities) -> None:
    user = identities.user(allow(["eks:DescribeCluster", "s3:PutBucketTagging"]))
    eks = tampered(user("eks"), lambda request: request.params.update({"Action": "DeleteCluster"}))
    assert refused(eks.describe_cluster, name="missing")
    assert refusal(user("eks").describe_cluster, name="missing")[0] == "ResourceNotFoundException"
    s3 = tampered(user("s3"), lambda request: setattr(request, "url", f"{request.url}&policy"))
    tagging = {"Bucket": "missing", "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}
    assert refused(s3.put_bucket_tagging, **tagging)
    assert refusal(user("s3").put_bucket_tagging, **tagging)[0] == "NoSuchBucket"


class Issuer:
    """An OpenID Connect provider on this machine."""

    def __init__(self) -> None:
        self._key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.keys_address = ""
        self.pause_seconds = 0.0
        """After each byte."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = {"jwks_uri": issuer.keys_address} if "well-known" in self.path else issuer.keys
                body = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                for position in range(len(body)) if issuer.pause_seconds else ():
                    self.wfile.write(body[position : position + 1])
                    time.sleep(issuer.pause_seconds)
                self.wfile.write(b"" if issuer.pause_seconds else body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.keys_address = f"{self.url}/keys"
        self.keys: Any = KeySet([self._key]).as_dict(private=False)

    def token(self, key: RSAKey | None = None, **claims: object) -> str:
        whole = {
            "iss": self.url,
            "aud": "sts.amazonaws.com",
            "sub": "repo:shop:main",
            "exp": int(time.time()) + 60,
            **claims,
        }
        return jwt.encode({"alg": "RS256", "kid": "one"}, whole, key or self._key)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize(
    ("address", "keys"),
    [("http://169.254.169.254/latest", None), ("file:///etc/passwd", None), ("https://[", None), ("", []), ("", {"a": "x" * 2**20})],
    ids=["plain HTTP elsewhere", "file", "no address", "list", "large"],
)  # fmt: skip
def test_keys_of_an_issuer_are_read_from_where_they_may_be(issuer: Issuer, address: str, keys: object) -> None:
    assert fetch_keys(issuer.url) == issuer.keys
    issuer.keys_address = address or issuer.keys_address
    issuer.keys = issuer.keys if keys is None else keys
    with pytest.raises(WebIdentityError):
        fetch_keys(issuer.url)


def test_issuer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch, issuer: Issuer) -> None:
    monkeypatch.setattr(web_identity, "LONGEST_ANSWER_SECONDS", 0.2)
    issuer.pause_seconds = 0.05
    began = time.monotonic()
    with pytest.raises(WebIdentityError, match="too slowly"):
        fetch_keys(issuer.url)
    assert time.monotonic() - began < 2  # its two answers would take 20 s


def test_issuer_elsewhere_does_not_lead_to_this_machine(monkeypatch: pytest.MonkeyPatch, issuer: Issuer) -> None:
    client = httpx.Client
    issuer_elsewhere = httpx.MockTransport(lambda _: httpx.Response(200, json={"jwks_uri": issuer.keys_address}))
    monkeypatch.setattr(httpx, "Client", lambda **_: client(transport=issuer_elsewhere))
    with pytest.raises(WebIdentityError, match="jwks_uri does not use HTTPS"):
        fetch_keys("https://issuer.example")


def test_web_identity_takes_the_role_that_trusts_its_audience_and_subject(
    daemon: Any, identities: Identities, issuer: Issuer
) -> None:
    host = issuer.url.removeprefix("http://")
    made = identities.iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["sts.amazonaws.com"])
    trusted = document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": made["OpenIDConnectProviderArn"]},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{host}:aud": "sts.amazonaws.com"},
                "StringLike": {f"{host}:sub": "repo:shop:*"},
            },
        }
    )
    role = identities.role(allow("sqs:ListQueues"), trusted=trusted)
    other = identities.role(allow("*"))
    sts = botocore.session.Session().create_client(
        "sts", "us-east-1", endpoint_url=daemon.url, config=Config(signature_version=UNSIGNED)
    )

    def assume(token: str, arn: str = role) -> Any:
        return sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="deploy", WebIdentityToken=token)

    session = identities.of(assume(issuer.token()))
    session("sqs").list_queues()
    assert refused(session("sns").list_topics)
    for token, code in (
        (issuer.token(sub="repo:other:main"), "AccessDenied"),
        (issuer.token(aud="other"), "InvalidIdentityToken"),
        (issuer.token(exp=10**400), "InvalidIdentityToken"),
        (issuer.token(exp=1), "ExpiredTokenException"),
        (issuer.token(iss="http://127.0.0.1:1"), "InvalidIdentityToken"),
        (issuer.token(RSAKey.generate_key(2048)), "InvalidIdentityToken"),
        ("nonsense", "InvalidIdentityToken"),
    ):
        assert refusal(assume, token=token)[0] == code
    assert refusal(assume, token=issuer.token(), arn=other)[0] == "AccessDenied"


def test_what_stands_in_a_path_reaches_the_service(identities: Identities) -> None:
    """moto finds it while it looks for the operation, which is fixed for those who are judged: a role's cluster was called None."""
    zone = identities.owner("route53").create_hosted_zone(Name="example.com", CallerReference="one")["HostedZone"]
    found = identities.user(allow("route53:GetHostedZone"))("route53").get_hosted_zone(Id=zone["Id"])
    assert found["HostedZone"]["Name"] == "example.com."
