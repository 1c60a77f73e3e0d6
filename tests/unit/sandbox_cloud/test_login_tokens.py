"""Tokens of IAM database authentication, made by botocore, and the question that PostgreSQL asks about them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from slipway.sandbox.aws.callers import Caller
from slipway.sandbox.aws.rds.login_server import MessageError, bind_answer, read_bind
from slipway.sandbox.aws.rds.login_tokens import Login, LoginError, verify_token

SECRET, SESSION = "a secret of forty characters, or nearly", "session/token+of=a role"
LOGIN = Login(endpoint="10.87.0.1:15432", region="eu-central-1", user="orders_app")


def token(
    *,
    key: str = "AKIAKNOWN",
    secret: str = SECRET,
    session: str | None = SESSION,
    host: str = "10.87.0.1",
    port: int = 15432,
    user: str = "orders_app",
    region: str = "eu-central-1",
) -> str:
    rds = boto3.client("rds", region, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=session)
    return rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)


def caller_of(key: str) -> Caller | None:
    known = {
        "AKIAKNOWN": Caller(arn="arn:aws:sts::1:assumed-role/a/b", secret_key=SECRET, session_token=SESSION),
        "AKIAENDED": Caller(
            arn="arn:aws:sts::1:assumed-role/a/b", secret_key=SECRET, session_token=SESSION, expired=True
        ),
    }
    return known.get(key)


def verify(text: str, after: timedelta = timedelta()) -> str:
    return verify_token(text, LOGIN, caller_of=caller_of, now=datetime.now(UTC) + after).arn


def test_token_of_an_sdk_lets_its_signer_in_for_fifteen_minutes() -> None:
    assert verify(token()) == verify(token(), timedelta(seconds=895)) == "arn:aws:sts::1:assumed-role/a/b"


@pytest.mark.parametrize(
    ("text", "after", "why"),
    [
        (token(), 905, "out of its time"),
        (token(), -600, "out of its time"),
        (token(host="127.0.0.1"), 0, "is for 127.0.0.1:15432/"),
        (token(port=15433), 0, "is for 10.87.0.1:15433/"),
        (token(user="orders_owner"), 0, "not to connect as orders_app"),
        (token(region="us-east-1"), 0, "not signed for rds-db in eu-central-1"),
        (token(secret="another"), 0, "signature is wrong"),
        (
            token().replace("orders_app", "orders%5Fapp").replace("X-Amz-Expires=900", "X-Amz-Expires=800"),
            0,
            "signature",
        ),
        (token().replace("X-Amz-Expires=900", "X-Amz-Expires=90000"), 905, "out of its time"),
        (token().replace("X-Amz-Expires=900", "X-Amz-Expires=1e9"), 0, "no presigned request"),
        (token() + "&DBUser=orders_app", 0, "twice"),
        (token(key="AKIAOTHER"), 0, "unknown or ended"),
        (token(key="AKIAENDED"), 0, "unknown or ended"),
        (token(session=None), 0, "unknown or ended"),
        ("", 0, "is for"),
        ("10.87.0.1:15432/?Action=connect&DBUser=orders_app", 0, "no presigned request"),
        ("10.87.0.1:15432@evil/?Action=connect&DBUser=orders_app", 0, "is for"),
        ("x" * 20000, 0, "too long"),
    ],
)
def test_refuses_a_token_of_another_login_time_or_signer(text: str, after: int, why: str) -> None:
    with pytest.raises(LoginError, match=why):
        verify(text, timedelta(seconds=after))


def bind(name: bytes, password: bytes, number: bytes = b"\1") -> bytes:
    """As OpenLDAP's library writes it: long lengths in long form."""

    def element(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([0x84]) + size.to_bytes(4, "big")
        return bytes([tag]) + length + content

    asked = element(0x02, b"\3") + element(0x04, name) + element(0x80, password)
    return element(0x30, element(0x02, number) + element(0x60, asked))


def test_bind_is_read_with_a_password_of_any_length() -> None:
    for password in (b"short", b"x" * 3000):
        assert read_bind(io.BytesIO(bind(b"uid=a,dc=b", password))) == (b"\1", "uid=a,dc=b", password.decode())
    assert bind_answer(b"\1", 49) == bytes.fromhex("300c02010161070a013104000400")


def nonsense() -> Iterator[bytes]:
    whole = bind(b"uid=a,dc=b", b"x" * 200)
    yield from (whole[:length] for length in range(len(whole)))
    yield b"\x30\x80" + whole[2:]
    yield b"\x30\x84\xff\xff\xff\xff"
    yield bind(b"\xff", b"x")
    yield bind(b"a", b"x", number=b"12345")
    yield b"GET / HTTP/1.1\r\n\r\n"


def test_refuses_what_is_no_bind() -> None:
    for data in nonsense():
        with pytest.raises(MessageError):
            read_bind(io.BytesIO(data))
