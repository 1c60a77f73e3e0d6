"""Random passwords."""

from __future__ import annotations

from slipway.providers.values import PropertyMap, Secret
from slipway.sandbox.providers.framework.functions import FunctionCall, function
from slipway.sandbox.providers.framework.wire import api_arguments


@function("aws:secretsmanager/getRandomPassword:getRandomPassword")
def get_random_password(call: FunctionCall) -> PropertyMap:
    client = call.client("secretsmanager")
    password = client.get_random_password(**api_arguments(client, "get_random_password", call.args))["RandomPassword"]
    return {**call.args, "id": call.region, "randomPassword": Secret(password), "region": call.region}
