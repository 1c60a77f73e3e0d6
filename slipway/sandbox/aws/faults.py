"""Answers for what moto cannot do, in the shape that each AWS protocol gives an error, so that SDKs show one clear message."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from slipway.sandbox.aws.operations import Operation

NOT_IMPLEMENTED_STATUS = 501
"""Not retried by AWS SDKs, as 500 and 503 are."""
INTERNAL_STATUS = 500
REST_XML_SERVICES = frozenset({"s3", "s3bucket_path", "s3control", "route53", "cloudfront"})
QUERY_SERVICES = frozenset({
    "autoscaling", "cloudformation", "cloudwatch", "elasticache", "elb", "elbv2", "iam", "rds", "redshift", "ses", "sns", "sts",
})  # fmt: skip

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


def _fault(operation: Operation, status: int, code: str, message: str) -> Fault:
    code_tag, message_tag = f"<Code>{code}</Code>", f"<Message>{escape(message)}</Message>"
    request_id = "<RequestId>slipway-sandbox</RequestId>"
    if operation.service == "ec2":
        text = f"<Response><Errors><Error>{code_tag}{message_tag}</Error></Errors>{request_id}</Response>"
    elif operation.service in QUERY_SERVICES:
        text = f"<ErrorResponse><Error><Type>Receiver</Type>{code_tag}{message_tag}</Error>{request_id}</ErrorResponse>"
    elif operation.service in REST_XML_SERVICES:
        text = f"<Error>{code_tag}{message_tag}{request_id}</Error>"
    else:
        body = json.dumps({"__type": code, "message": message}).encode()
        return status, [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)], body
    return status, [("Content-Type", "text/xml")], text.encode()
