"""Whom the AWS API believes: callers that sign with keys which the sandbox gave out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import botocore.session
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from slipway.sandbox.aws.signatures import Scope, SignatureError, check_service
from slipway.sandbox.environment import aws_credentials
from slipway.sandbox.paths import SandboxPaths

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
SPECIAL = "a key/with space+plus=é~%25.txt"


@pytest.fixture
def keys(daemon: Any) -> tuple[str, str]:
    variables = aws_credentials(SandboxPaths(daemon.home))
    return variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]


def client(daemon: Any, service: str, *keys: str, config: Config | None = None) -> Any:
    session = botocore.session.Session()
    session.set_credentials(*keys)
    return session.create_client(service, "us-east-1", endpoint_url=daemon.url, config=config)


def code(call: Callable[..., object], **arguments: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("service", "operation", "codes"),
    [
        ("sts", "get_caller_identity", ("InvalidClientTokenId", "SignatureDoesNotMatch")),
        ("ec2", "describe_vpcs", ("AuthFailure", "AuthFailure")),
        ("dynamodb", "list_tables", ("UnrecognizedClientException", "InvalidSignatureException")),
        ("eks", "list_clusters", ("UnrecognizedClientException", "InvalidSignatureException")),
        ("cloudwatch", "list_metrics", ("UnrecognizedClientException", "InvalidSignatureException")),
        ("s3", "list_buckets", ("InvalidAccessKeyId", "SignatureDoesNotMatch")),
    ],
)
def test_refuses_who_has_no_key_of_the_sandbox(
    daemon: Any, keys: tuple[str, str], service: str, operation: str, codes: tuple[str, str]
) -> None:
    for given, wanted in (("test", "test"), codes[0]), ((*keys, "a token"), codes[0]), ((keys[0], "guessed"), codes[1]):
        assert code(getattr(client(daemon, service, *given), operation)) == wanted
    getattr(client(daemon, service, *keys), operation)()


@pytest.mark.parametrize(
    ("service", "operation", "wanted"),
    [
        ("sts", "get_caller_identity", "MissingAuthenticationToken"),
        ("dynamodb", "list_tables", "MissingAuthenticationTokenException"),
        ("s3", "list_buckets", "AccessDenied"),
    ],
)
def test_refuses_what_is_not_signed(daemon: Any, service: str, operation: str, wanted: str) -> None:
    unsigned = client(daemon, service, "x", "y", config=Config(signature_version=UNSIGNED))
    assert code(getattr(unsigned, operation)) == wanted


def test_refuses_an_unsigned_call_that_names_an_open_operation_as_well(daemon: Any) -> None:
    form = {"Action": "CreateTopic", "Name": "x"}
    for query in ("Action=AssumeRoleWithWebIdentity", "Action=AssumeRoleWithSAML&Action=CreateTopic"):
        assert httpx.post(f"{daemon.url}/?{query}", data=form).status_code == 403


def test_refuses_a_signed_request_that_was_changed_or_kept_too_long(
    daemon: Any, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sns = client(daemon, "sns", *keys)
    changed = b"Action=CreateTopic&Name=other&Version=2010-03-31"
    sns.meta.events.register("before-send", lambda request, **_: setattr(request, "body", changed))
    assert code(sns.create_topic, Name="mine") == "SignatureDoesNotMatch"
    late = datetime.now(UTC) - timedelta(minutes=16)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: late)
    assert code(client(daemon, "sts", *keys).get_caller_identity) == "SignatureDoesNotMatch"


def test_role_session_needs_its_token_and_a_user_an_active_key(daemon: Any, aws: Callable[..., Any]) -> None:
    iam = aws("iam")
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    made = aws("sts").assume_role(RoleArn=role, RoleSessionName="release")["Credentials"]
    session = (made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    arn = client(daemon, "sts", *session).get_caller_identity()["Arn"]
    assert arn.endswith(":assumed-role/reader/release")
    assert code(client(daemon, "sts", *session[:2]).get_caller_identity) == "InvalidClientTokenId"
    iam.create_user(UserName="ada")
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    ada = client(daemon, "sts", key["AccessKeyId"], key["SecretAccessKey"])
    assert ada.get_caller_identity()["Arn"].endswith(":user/ada")
    iam.update_access_key(UserName="ada", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert code(ada.get_caller_identity) == "InvalidClientTokenId"


def test_presigned_url_opens_one_object_for_its_time(daemon: Any, keys: tuple[str, str]) -> None:
    s3 = client(daemon, "s3", *keys, config=Config(signature_version="s3v4"))
    s3.create_bucket(Bucket="signed")
    s3.put_object(Bucket="signed", Key=SPECIAL, Body=b"text", Metadata={"a_b": "1"})
    url, old = (
        s3.generate_presigned_url("get_object", {"Bucket": "signed", "Key": SPECIAL}, ExpiresIn=seconds)
        for seconds in (60, -1)
    )
    assert httpx.get(url).text == "text"
    assert httpx.get(url.replace("space", "other")).status_code == 403
    assert httpx.put(url, content=b"").status_code == 403
    assert httpx.get(old).status_code == 403


def test_presigned_address_is_for_its_service_alone(daemon: Any, keys: tuple[str, str]) -> None:
    """The query said who calls, and an unsigned header which service is called."""
    s3 = client(daemon, "s3", *keys, config=Config(signature_version="s3v4"))
    url = s3.generate_presigned_url("list_buckets", ExpiresIn=60)
    scope = "AWS4-HMAC-SHA256 Credential=X/20261127/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"
    assert httpx.get(url).status_code == 200
    answer = httpx.request("GET", url, headers={"Authorization": scope}, data={"Action": "ListRoles"})
    assert (answer.status_code, "RoleName" in answer.text) == (403, False)


@pytest.mark.parametrize(("signed", "service"), [("s3", "iam"), ("iam", "rds"), ("monitoring", "elbv2")])
def test_refuses_what_was_signed_for_another_service(signed: str, service: str) -> None:
    scope = Scope.parse(f"AKIA/20261127/us-east-1/{signed}/aws4_request", "20261127T120000Z", "host", "0")
    with pytest.raises(SignatureError, match="correct service"):
        check_service(scope, service)


@pytest.mark.parametrize(
    ("signed", "service"), [("monitoring", "cloudwatch"), ("elasticloadbalancing", "elbv2"), ("s3", "s3control")]
)
def test_service_is_known_by_the_name_that_clients_sign(signed: str, service: str) -> None:
    check_service(
        Scope.parse(f"AKIA/20261127/us-east-1/{signed}/aws4_request", "20261127T120000Z", "host", "0"), service
    )
