"""Bodies are read as far as they may be, whatever their senders say of them."""

from __future__ import annotations

import io

import pytest

from slipway.sandbox.aws import guard
from slipway.sandbox.aws.bodies import read_body
from slipway.sandbox.aws.eks.pod_routes import admission_application
from slipway.sandbox.aws.token_review import decode_request

LIMIT = 10
DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("length", "sent", "body"),
    [
        ("", b"rest", b""),
        ("2", b"{} and the next", b"{}"),
        ("10", b"x" * 10, b"x" * 10),
        *((said, b"x" * 99, None) for said in ("11", "-1", "+1", "0x1", "1e1", "\u0663", "9" * 5000)),
    ],
)
def test_length_is_a_number_within_the_limit(length: str, sent: bytes, body: bytes | None) -> None:
    assert read_body({"wsgi.input": io.BytesIO(sent), "CONTENT_LENGTH": length}, LIMIT) == body


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (b"2\r\n{}\r\n0\r\n\r\n", b"{}"),
        (b"1;why=not\r\n{\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n", b"{}"),
        (b"5\r\nxxxxx\r\n6\r\nxxxxxx\r\n0\r\n\r\n", None),  # larger than the limit
        (b"f" * 15 + b"\r\nx", None),
        (b"f" * 99 + b"\r\nx", None),
        (b"5\r\nxx", None),  # ends early
        (b"2\r\n{}x\r\n0\r\n\r\n", None),
        (b"-5\r\n{}", None),
        (b"", None),
    ],
)
def test_chunks_are_put_together(sent: bytes, body: bytes | None) -> None:
    assert read_body({"wsgi.input": io.BytesIO(sent), "wsgi.input_terminated": True}, LIMIT) == body


def test_deeply_nested_documents_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "refuse_user", lambda *_: None)
    assert decode_request(DEEP) == {}
    seen: list[str] = []

    def start_response(status: str, _headers: object) -> None:
        seen.append(status)

    environ = {"PATH_INFO": "/pod-identity/dev", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(DEEP))}
    environ |= {"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "4569"}
    admission_application()({**environ, "wsgi.input": io.BytesIO(DEEP)}, start_response)
    assert seen == ["400 Bad Request"]
