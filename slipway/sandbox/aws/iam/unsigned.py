"""Calls without credentials: what is in them is the proof. They too run as nothing else than they were taken for."""

from __future__ import annotations

from datetime import UTC, datetime

from slipway.sandbox.aws.answers import Environ
from slipway.sandbox.aws.faults import Fault, access_denied, refused
from slipway.sandbox.aws.iam.assume_role import WEB_IDENTITY
from slipway.sandbox.aws.iam.enforcement import bind_unsigned
from slipway.sandbox.aws.iam.requests import UnclearRequestError
from slipway.sandbox.aws.iam.web_identity import WebIdentityError, check_web_identity
from slipway.sandbox.aws.operations import Operation


def refuse_unsigned(operation: Operation, environ: Environ, body: bytes) -> Fault | None:
    """None for what may run."""
    try:
        call = bind_unsigned(operation.service, environ, body)
    except UnclearRequestError as error:
        return access_denied(operation, str(error))
    if call.operation == "AssumeRoleWithWebIdentity":
        try:
            environ[WEB_IDENTITY] = check_web_identity(call, datetime.now(UTC))
        except WebIdentityError as error:
            status = 403 if error.code == "AccessDenied" else 400
            return refused(operation, status, error.code, str(error))
    return None
