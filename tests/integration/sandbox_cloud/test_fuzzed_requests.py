"""Nonsense over HTTP, signed and unsigned: the AWS API takes it for its sender's fault, and goes on."""

from __future__ import annotations

import json
import random
import socket
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tests.aws import aws_client
from tests.fuzzing import mutated_bytes, mutated_value, try_all

FORM = "application/x-www-form-urlencoded"
SECONDS = 20
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL3guZXhhbXBsZSJ9.AA"
WEB_IDENTITY = (
    f"Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam::1:role/a&RoleSessionName=a&WebIdentityToken={TOKEN}"
)
SCOPE = "AKIA0/20260101/us-east-1/sts/aws4_request"
HEADER = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
PRESIGNED = (
    f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={SCOPE}&X-Amz-Date=20260101T000000Z&X-Amz-Expires=9"
    "&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
)
UNSIGNED: tuple[bytes, ...] = tuple(
    "\r\n".join([line, "Host: {host}", *headers, f"Content-Length: {len(body)}", "", body]).encode()
    for line, headers, body in (
        ("GET /_slipway/status HTTP/1.1", (), ""),
        ("POST /_slipway/token-review/dev HTTP/1.1", (), json.dumps({"spec": {"token": f"k8s-aws-v1.{TOKEN}"}})),
        ("PUT /_slipway/registry/v2/a/manifests/b HTTP/1.1", (f"Authorization: Basic {TOKEN}",), "{}"),
        ("POST / HTTP/1.1", (f"Authorization: {HEADER}", "X-Amz-Date: 20260101T000000Z", f"Content-Type: {FORM}"), "Action=GetUser"),
        ("POST / HTTP/1.1", ("X-Amz-Target: DynamoDB_20120810.GetItem", "Content-Encoding: gzip"), '{"TableName": "a"}'),
        ("POST / HTTP/1.1", (f"Content-Type: {FORM}",), WEB_IDENTITY),
        (f"GET /bucket/key?{PRESIGNED} HTTP/1.1", (), ""),
    )
)  # fmt: skip
LENGTHS = ("-1", "9" * 5000, "0x10", "1e3", "٣", "+1", "1, 1")


def talk(url: str, message: bytes) -> bytes:
    """What the server says to a message that ends there."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as connection:
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def status(answer: bytes) -> int:
    """Of an answer; what does not even begin as HTTP has none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 400


def test_requests_of_nobody(daemon: Any) -> None:
    url: str = daemon.url
    host = url.removeprefix("http://").encode()

    def use(message: bytes) -> None:
        assert status(talk(url, message.replace(b"{host}", host))) < 500

    def make(dice: random.Random) -> bytes:
        good = dice.choice(UNSIGNED)
        before, between, after = good.partition(dice.choice((b"\r\n", b"Host: {host}\r\n", b"\r\n\r\n")))
        return mutated_bytes(dice, before) + between + (after if dice.random() < 0.5 else mutated_bytes(dice, after))

    post = b"POST / HTTP/1.1\r\nHost: {host}\r\n"
    review = post.replace(b" / ", b" /_slipway/token-review/dev ")
    kept = [start + f"Content-Length: {length}\r\n\r\n{{}}".encode() for start in (post, review) for length in LENGTHS]
    kept += [post + b"Transfer-Encoding: chunked\r\n\r\n" + chunk for chunk in (b"zz\r\n", b"-5\r\n{}", b"F" * 99)]
    try_all("unsigned", kept, make, 300, use)


SERVICES = (
    *("acm", "cloudwatch", "dynamodb", "ec2", "ecr", "eks", "elbv2", "iam", "kms", "logs", "rds", "route53", "s3"),
    *("secretsmanager", "sns", "sqs", "sts"),
)
TEXTS = (
    "abc",
    "vpc-12345678",
    "arn:aws:iam::123456789012:role/a",
    "10.0.0.0/16",
    '{"Version": "2012-10-17", "Statement": []}',
)
NOT_IMPLEMENTED = 501


def near(dice: random.Random, shape: Any, depth: int = 0) -> Any:
    """A value of a shape, all but that texts may not be what the pattern asks for."""
    match shape.type_name:
        case "structure":
            wanted = [
                name for name in shape.members if name in shape.required_members or (depth < 3 and dice.random() < 0.3)
            ]
            return {name: near(dice, shape.members[name], depth + 1) for name in wanted}
        case "list":
            return [near(dice, shape.member, depth + 1) for _ in range(dice.randrange(1, 3))]
        case "map":
            return {"a": near(dice, shape.value, depth + 1)}
        case kind:
            values = {"boolean": (True, False), "timestamp": ("2026-01-01T00:00:00Z",), "blob": ("abc",)}
            numbers = dict.fromkeys(("integer", "long", "float", "double"), (0, 1, 5, 100))
            return dice.choice(shape.metadata.get("enum") or {**values, **numbers}.get(kind, TEXTS))


def test_requests_of_the_owner(daemon: Any) -> None:
    settings = Config(parameter_validation=False, retries={"max_attempts": 0}, read_timeout=SECONDS)
    clients = {name: aws_client(name, daemon.home, daemon.url, config=settings) for name in SERVICES}

    def make(dice: random.Random) -> tuple[str, str, Any]:
        client = clients[service := dice.choice(SERVICES)]
        operation = dice.choice(
            [name for name in client.meta.service_model.operation_names if name != "ReceiveMessage"]
        )
        shape = client.meta.service_model.operation_model(operation).input_shape
        parameters = near(dice, shape) if shape else {}
        changed = mutated_value(dice, parameters) if dice.random() < 0.6 else parameters
        return service, operation, changed if isinstance(changed, dict) else {}

    def use(asked: tuple[str, str, Any]) -> None:
        service, operation, parameters = asked
        try:
            clients[service]._make_api_call(operation, parameters)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status >= 500 and status != NOT_IMPLEMENTED:
                raise
        except (BotoCoreError, ResponseParserError, AttributeError, LookupError, TypeError, ValueError):
            return  # the client could not even send it, or not read what answers nonsense

    kept = [("sqs", "CreateQueue", {}), ("kms", "CreateGrant", {"KeyId": "abc"}), ("sts", "AssumeRole", {})]
    kept += [("cloudwatch", "PutMetricAlarm", {"AlarmName": "x" * 70_000})]
    kept += [("dynamodb", "PutItem", {"TableName": []}), ("sns", "GetTopicAttributes", {"TopicArn": "\x1b[31m"})]
    try_all("signed", kept, make, 400, use)
