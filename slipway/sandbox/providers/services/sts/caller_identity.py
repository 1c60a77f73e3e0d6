"""The identity of the credentials."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import Function, FunctionCall


def _get_caller_identity(call: FunctionCall) -> PropertyMap:
    identity = call.client("sts").get_caller_identity()
    return {
        "accountId": identity["Account"],
        "arn": identity["Arn"],
        "id": identity["Account"],
        "userId": identity["UserId"],
    }


FUNCTIONS: Mapping[str, Function] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _get_caller_identity,
}
