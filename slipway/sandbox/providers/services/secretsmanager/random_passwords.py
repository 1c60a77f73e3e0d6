"""Random passwords."""

from __future__ import annotations

from slipway.providers.values import PropertyMap, Secret
from slipway.sandbox.providers.framework.functions import FunctionCall, function


@function("aws:secretsmanager/getRandomPassword:getRandomPassword")
def get_random_password(call: FunctionCall) -> PropertyMap:
    names = {
        "excludeCharacters": "ExcludeCharacters",
        "excludeLowercase": "ExcludeLowercase",
        "excludeNumbers": "ExcludeNumbers",
        "excludePunctuation": "ExcludePunctuation",
        "excludeUppercase": "ExcludeUppercase",
        "includeSpace": "IncludeSpace",
        "passwordLength": "PasswordLength",
        "requireEachIncludedType": "RequireEachIncludedType",
    }
    arguments = {key: call.args[name] for name, key in names.items() if name in call.args}
    password = call.client("secretsmanager").get_random_password(**arguments)["RandomPassword"]
    return {**call.args, "id": call.region, "randomPassword": Secret(password), "region": call.region}
