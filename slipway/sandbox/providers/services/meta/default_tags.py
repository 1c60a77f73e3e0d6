"""The provider's default tags."""

from __future__ import annotations

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function


@function("aws:index/getDefaultTags:getDefaultTags")
def get_default_tags(call: FunctionCall) -> PropertyMap:
    return {"id": "tags", "tags": dict(call.session.settings.default_tags)}
