"""moto runs what was judged: operation, account and region of a judged request are fixed before moto reads it.

moto would take an operation's name from the address, a form, any body that reads like a form, or a header; the account from a header of its
own; and the region from the name of the client.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from functools import cache
from typing import Any

from moto.core.responses import BaseResponse
from moto.s3.responses import S3Response

from slipway.sandbox.aws.answers import Environ
from slipway.sandbox.aws.iam.requests import ApiCall

JUDGED = "slipway.judged"

_setup_class = BaseResponse.setup_class
_get_action = BaseResponse._get_action
_get_current_account = BaseResponse.get_current_account
_get_region = BaseResponse.get_region_from_url


def bind(environ: Environ, call: ApiCall) -> None:
    """Fix what moto will run for this request."""
    _install()
    environ[JUDGED] = call


@cache
def _install() -> None:
    """Have moto heed `bind`."""
    BaseResponse.setup_class = _setup_judged
    BaseResponse._get_action = _judged_action
    BaseResponse.get_current_account = _judged_account
    BaseResponse.get_region_from_url = _judged_region


def _judged(request: Any) -> ApiCall | None:
    return request.environ.get(JUDGED)


def _setup_judged(self: BaseResponse, request: Any, *arguments: Any, **named: Any) -> None:
    _setup_class(self, request, *arguments, **named)
    if _judged(request) and not request.form and not isinstance(self, S3Response):
        # Without a query moto takes a body, and then the headers, for a form.
        self.querystring = self.data = {name: request.args.getlist(name) for name in request.args}


def _judged_action(self: BaseResponse) -> str:
    call = _judged(self.normalized_request)
    if call is None:
        return _get_action(self)
    self.uri_match = dict(call.in_path)  # which moto finds while it looks for the operation
    return call.operation


def _judged_account(self: BaseResponse) -> str:
    call = _judged(self.normalized_request) if hasattr(self, "normalized_request") else None
    return call.serving_account if call else _get_current_account(self)


def _judged_region(self: BaseResponse, request: Any, full_url: str) -> str:
    call = _judged(request)
    return call.region if call and call.region else _get_region(self, request, full_url)
