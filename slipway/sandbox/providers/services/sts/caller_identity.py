"""The identity of the credentials."""

from __future__ import annotations

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function


@function("aws:index/getCallerIdentity:getCallerIdentity")
def get_caller_identity(call: FunctionCall) -> PropertyMap:
    identity = call.client("sts").get_caller_identity()
    return {
        "accountId": identity["Account"],
        "arn": identity["Arn"],
        "id": identity["Account"],
        "userId": identity["UserId"],
    }
