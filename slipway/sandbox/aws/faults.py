"""Answers for what moto cannot do, in the shape that each AWS protocol gives an error, so that SDKs show one clear message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from xml.sax.saxutils import escape

from slipway.sandbox.aws.operations import Operation

NOT_IMPLEMENTED_STATUS = 501
"""Not retried by AWS SDKs, as 500 and 503 are."""
INTERNAL_STATUS = 500
S3_SERVICES = frozenset({"s3", "s3bucket_path", "s3control"})
REST_XML_SERVICES = S3_SERVICES | {"route53", "cloudfront"}
QUERY_COMPATIBLE = frozenset({"sqs", "cloudwatch"})
"""Their JSON protocol names errors by the codes of their older one as well."""
AUTHENTICATION_CODES = {
    "AccessDenied": ("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
    "ExpiredToken": ("ExpiredToken", "ExpiredTokenException"),
    "InvalidAccessKeyId": ("InvalidClientTokenId", "UnrecognizedClientException"),
    "SignatureDoesNotMatch": ("SignatureDoesNotMatch", "InvalidSignatureException"),
}
"""From S3's code to those of the query and the JSON protocols."""
INVALID_CODES = {
    "ec2": "InvalidParameterValue",
    "ecr": "InvalidParameterException",
    "eks": "InvalidParameterException",
    "logs": "InvalidParameterException",
    "rds": "InvalidParameterValue",
    "route53": "InvalidInput",
    "s3": "InvalidArgument",
    "secretsmanager": "InvalidParameterException",
    "sns": "InvalidParameter",
}
"""What services call a request that their model does not allow; the others: `ValidationError`, or `ValidationException` in JSON."""
THROTTLED: Mapping[str, tuple[int, str, str]] = {
    "dynamodb": (400, "ThrottlingException", "Rate of requests exceeds the allowed throughput."),
    "ec2": (503, "RequestLimitExceeded", "Request limit exceeded."),
    "kms": (400, "ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."),
    "s3": (503, "SlowDown", "Please reduce your request rate."),
    "sqs": (403, "RequestThrottled", "Request is throttled."),
}  # fmt: skip
"""Status, code and message of services with their own. Source: "Common errors", "Error responses" or "Quotas" of each API."""
Fault = tuple[int, list[tuple[str, str]], bytes]


def not_implemented(operation: Operation, why: str) -> Fault:
    """The sandbox does not have this operation."""
    detail = f": {why}" if why else ""
    message = f"The sandbox does not support {operation.service} {operation.name}{detail}"
    return _fault(operation, NOT_IMPLEMENTED_STATUS, "NotImplemented", message)


def internal_failure(operation: Operation, error: Exception) -> Fault:
    """The operation broke inside the sandbox; the daemon's log has the traceback."""
    message = f"The sandbox failed in {operation.service} {operation.name}: {type(error).__name__}: {error}"
    return _fault(operation, INTERNAL_STATUS, "InternalFailure", message)


def not_valid(operation: Operation, message: str) -> Fault:
    """The request is its sender's fault. Source: "Common errors" of each API."""
    code = INVALID_CODES.get("s3" if operation.service in S3_SERVICES else operation.service)
    return _fault(
        operation, 400, code or ("ValidationError" if operation.protocol == "xml" else "ValidationException"), message
    )


def not_understood(operation: Operation, error: Exception) -> Fault:
    """moto broke on the request, mostly on one that AWS refuses too, such as for a thing that is not there. SDKs repeat a 500."""
    message = f"The sandbox cannot do {operation.service} {operation.name} as asked: {type(error).__name__}: {error}"
    return not_valid(operation, message)


def not_authenticated(operation: Operation, code: str, message: str) -> Fault:
    """The refusal of a signature, by S3's code, in the words of the operation's service. Source: "Common errors" of each API."""
    if operation.service in S3_SERVICES:
        if " " in operation.name:
            return _fault(operation, 403, code, message)
        operation = replace(operation, service="")  # unsigned, and so taken for S3, whose operations have no names
    if operation.service == "ec2":
        return _fault(operation, 401, "RequestExpired" if code == "ExpiredToken" else "AuthFailure", message)
    query_code, json_code = AUTHENTICATION_CODES[code]
    return _fault(operation, 403, query_code if operation.protocol == "xml" else json_code, message)


def access_denied(operation: Operation, message: str) -> Fault:
    """IAM's refusal. Source: "Common errors" of each API."""
    if operation.service in REST_XML_SERVICES:
        return _fault(operation, 403, "AccessDenied", message)
    if operation.service == "ec2":
        return _fault(
            operation, 403, "UnauthorizedOperation", f"You are not authorized to perform this operation. {message}"
        )
    if operation.protocol == "xml":
        return _fault(operation, 403, "AuthorizationError" if operation.service == "sns" else "AccessDenied", message)
    # EKS speaks REST, where a refusal is a 403; the others' JSON protocol has 400 for every fault of the client.
    status, headers, body = _fault(operation, 403 if " " in operation.name else 400, "AccessDeniedException", message)
    if operation.service in QUERY_COMPATIBLE:
        headers.append(("x-amzn-query-error", "AccessDenied;Sender"))
    return status, headers, body


def throttled(operation: Operation) -> Fault:
    """More calls than the account may make. SDKs know the codes and repeat the call."""
    service = "s3" if operation.service in S3_SERVICES else operation.service
    is_query = operation.protocol == "xml" or service in REST_XML_SERVICES
    # REST services in JSON have a status of their own for it, as EKS's model says; the others' protocols have 400.
    usual = 429 if not is_query and " " in operation.name else 400
    default = usual, "Throttling" if is_query else "ThrottlingException", "Rate exceeded"
    status, code, message = THROTTLED.get(service, default)
    status, headers, body = _fault(operation, status, code, message)
    if service in QUERY_COMPATIBLE and operation.protocol != "xml":
        headers.append(("x-amzn-query-error", f"{code.removesuffix('Exception')};Sender"))
    return status, headers, body


def refused(operation: Operation, status: int, code: str, message: str) -> Fault:
    """Any refusal, by the operation's own code."""
    return _fault(operation, status, code, message)


def _fault(operation: Operation, status: int, code: str, message: str) -> Fault:
    code_tag, message_tag = f"<Code>{code}</Code>", f"<Message>{escape(message)}</Message>"
    request_id = "<RequestId>slipway-sandbox</RequestId>"
    if operation.service == "ec2":
        text = f"<Response><Errors><Error>{code_tag}{message_tag}</Error></Errors>{request_id}</Response>"
    elif operation.protocol == "xml":
        text = f"<ErrorResponse><Error><Type>Receiver</Type>{code_tag}{message_tag}</Error>{request_id}</ErrorResponse>"
    elif operation.service in REST_XML_SERVICES:
        text = f"<Error>{code_tag}{message_tag}{request_id}</Error>"
    elif operation.protocol == "cbor":
        body = _cbor({"__type": code, "message": message})
        return status, [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], body
    else:
        body = json.dumps({"__type": code, "message": message}).encode()
        return status, [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)], body
    return status, [("Content-Type", "text/xml")], text.encode()


def _cbor(fields: dict[str, str]) -> bytes:
    """A map of texts in CBOR (RFC 8949): a head of type and length before each."""
    parts = [_cbor_head(5, len(fields))]
    for text in (text for pair in fields.items() for text in pair):
        encoded = text.encode()
        parts += [_cbor_head(3, len(encoded)), encoded]
    return b"".join(parts)


def _cbor_head(kind: int, length: int) -> bytes:
    # Lengths below 24 stand in the head itself; 26 says that four bytes of length follow.
    return bytes([kind << 5 | length]) if length < 24 else bytes([kind << 5 | 26]) + length.to_bytes(4, "big")
