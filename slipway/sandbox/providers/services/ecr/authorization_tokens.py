"""Credentials for the registry."""

from __future__ import annotations

import base64

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function
from slipway.sandbox.providers.framework.resource import present, utc_time


@function("aws:ecr/getAuthorizationToken:getAuthorizationToken")
def get_authorization_token(call: FunctionCall) -> PropertyMap:
    registry = call.args.get("registryId")
    answer = call.client("ecr").get_authorization_token(**({"registryIds": [registry]} if registry else {}))
    data = answer["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {
        **present(registryId=registry),
        "authorizationToken": data["authorizationToken"],
        "expiresAt": utc_time(data["expiresAt"]),
        "id": call.region,
        "password": password,
        "proxyEndpoint": data["proxyEndpoint"],
        "region": call.region,
        "userName": user,
    }
