"""Who signed a request: AWS Signature Version 4, in the header or in the query, computed again by botocore's own signer.

The signatures inside of a chunked upload to S3 are not checked, the one over its headers is.
"""

# botocore is not typed.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUntypedBaseClass=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from moto.core.utils import get_service_model, service_name_from_moto_package_name

from slipway.sandbox.aws.callers import Caller, caller_of

ALGORITHM = "AWS4-HMAC-SHA256"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
CLOCK_SKEW = timedelta(minutes=15)
LONGEST_SECONDS = 7 * 24 * 3600
"""Of a presigned request. Source: "Authenticating requests: query parameters", Amazon S3 API reference."""
HEADER = re.compile(rf"{ALGORITHM}\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{{64}})")
UNHASHED = ("UNSIGNED-PAYLOAD", "STREAMING-")
"""What S3 takes in the place of a body's hash."""

AMAZON_HEADERS = ("x-amz-", "x-moto-")
"""Headers that change what a request does: somebody else could add them to a presigned one. moto's choose an account."""


class SignatureError(Exception):
    """The request is not signed by anybody that the sandbox knows. `code` is S3's, of which the other services' follow."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a signature says of itself."""

    access_key: str
    region: str
    service: str
    signed_at: datetime
    signed_headers: tuple[str, ...]
    signature: str

    @classmethod
    def parse(cls, credential: str, timestamp: str, signed_headers: str, signature: str) -> Scope:
        """Raises ValueError for what no signer writes."""
        access_key, date, region, service, end = credential.split("/")
        names = tuple(signed_headers.split(";"))
        if end != "aws4_request" or date != timestamp[:8] or "host" not in names:
            raise ValueError(credential)
        return cls(
            access_key=access_key,
            region=region,
            service=service,
            signed_at=datetime.strptime(timestamp, DATE_FORMAT).replace(tzinfo=UTC),
            signed_headers=names,
            signature=signature,
        )

    def signed_with(self, secret: str, method: str, url: str, headers: Mapping[str, str], payload_hash: str) -> bool:
        """Whether the signature is the one that this secret makes. `headers`: by name in lower case."""
        address, _, query = url.partition("?")
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "X-Amz-Signature"]
        request: Any = AWSRequest(method, f"{address}?{urlencode(pairs, quote_via=quote, safe='-_.~')}")
        request.headers["X-Amz-Content-SHA256"] = payload_hash
        request.context["timestamp"] = self.signed_at.strftime(DATE_FORMAT)
        request.context["signed"] = {name: headers.get(name.replace("_", "-"), "") for name in self.signed_headers}
        signer: Any = _S3Signer if self.service == "s3" else _Signer
        signer = signer(Credentials(self.access_key, secret), self.service, self.region)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        return hmac.compare_digest(signer.signature(text, request), self.signature)


class _Signer(SigV4Auth):
    def headers_to_sign(self, request: Any) -> Any:
        """Those that the client signed; botocore leaves some out that other SDKs sign."""
        headers = HTTPHeaders()
        for name, value in request.context["signed"].items():
            headers[name] = value
        return headers


class _S3Signer(_Signer, S3SigV4Auth):
    pass


def check_signature(
    environ: Mapping[str, Any], body: bytes, caller_of: Callable[[str], Caller | None], now: datetime
) -> tuple[Caller, Scope]:
    """Who signed this request, not long ago. Raises SignatureError for nobody that the sandbox knows."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    }
    target = str(environ["REQUEST_URI"])
    url = f"http://{headers['host']}{target}" if target.startswith("/") else target
    query = dict(parse_qsl(url.partition("?")[2], keep_blank_values=True))
    presigned = "X-Amz-Signature" in query
    if presigned and "authorization" in headers:
        # The one would say who calls, and the other which service is called.
        raise SignatureError(
            "AccessDenied", "Only one auth mechanism allowed; the query has one, and so have the headers"
        )
    if not presigned and "authorization" not in headers:
        raise SignatureError("AccessDenied", "Request is missing Authentication Token")
    try:
        scope = presigned_scope(query) if presigned else _header_scope(headers)
        lifetime = timedelta(seconds=min(int(query["X-Amz-Expires"]), LONGEST_SECONDS)) if presigned else CLOCK_SKEW
    except (ValueError, KeyError) as error:
        raise SignatureError("SignatureDoesNotMatch", f"The request is not signed by {ALGORITHM}") from error
    if not scope.signed_at - CLOCK_SKEW <= now <= scope.signed_at + lifetime:
        raise SignatureError("SignatureDoesNotMatch", f"Signature expired: {scope.signed_at} is too far from {now}")
    caller = caller_of(scope.access_key)
    token = query.get("X-Amz-Security-Token", "") if presigned else headers.get("x-amz-security-token", "")
    if caller is None or not caller.has_token(token):
        raise SignatureError("InvalidAccessKeyId", "The security token included in the request is invalid.")
    # WSGI does not tell `_` from `-` in names of headers.
    signed = {name.replace("_", "-") for name in scope.signed_headers}
    if unsigned := {name for name in headers if name.startswith(AMAZON_HEADERS)} - signed:
        names = ", ".join(sorted(unsigned))
        raise SignatureError(
            "AccessDenied", f"There were headers present in the request which were not signed: {names}"
        )
    payload = _payload_hash(scope, headers, body, presigned=presigned)
    if not scope.signed_with(caller.secret_key, str(environ["REQUEST_METHOD"]), url, headers, payload):
        raise SignatureError(
            "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
        )
    if caller.expired:
        raise SignatureError("ExpiredToken", "The security token included in the request is expired")
    return caller, scope


def is_owners(environ: Mapping[str, Any], body: bytes) -> bool:
    """Whether the sandbox's owner signed this request."""
    try:
        caller, _ = check_signature(environ, body, caller_of, datetime.now(UTC))
    except SignatureError:
        return False
    return caller.is_owner


def is_presigned(environ: Mapping[str, Any]) -> bool:
    """Whether a request carries its signature in the address."""
    return "X-Amz-Signature=" in str(environ.get("QUERY_STRING"))


def check_service(scope: Scope, service: str) -> None:
    """Raises SignatureError where a request was signed for another service than moto's `service`, which is to serve it."""
    try:
        wanted = get_service_model(service_name_from_moto_package_name(service)).signing_name
    except BotoCoreError:
        return  # moto's own invention: no model, and nothing that a policy could allow
    if scope.service != wanted:
        raise SignatureError("SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{wanted}'.")


def _header_scope(headers: Mapping[str, str]) -> Scope:
    found = HEADER.fullmatch(headers["authorization"])
    if not found:
        raise ValueError("authorization")
    return Scope.parse(found[1], headers["x-amz-date"], found[2], found[3])


def presigned_scope(query: Mapping[str, str]) -> Scope:
    """From the fields of a presigned request's query. Raises KeyError or ValueError for those of another."""
    return Scope.parse(
        query["X-Amz-Credential"], query["X-Amz-Date"], query["X-Amz-SignedHeaders"], query["X-Amz-Signature"]
    )


def _payload_hash(scope: Scope, headers: Mapping[str, str], body: bytes, *, presigned: bool) -> str:
    is_s3 = scope.service == "s3"
    said = headers.get("x-amz-content-sha256", UNHASHED[0] if presigned and is_s3 else "")
    return said if is_s3 and said.startswith(UNHASHED) else hashlib.sha256(body).hexdigest()
