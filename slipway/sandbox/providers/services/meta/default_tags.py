"""The provider's default tags."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import Function, FunctionCall


def _get_default_tags(call: FunctionCall) -> PropertyMap:
    return {"id": "tags", "tags": dict(call.session.settings.default_tags)}


FUNCTIONS: Mapping[str, Function] = {
    "aws:index/getDefaultTags:getDefaultTags": _get_default_tags,
}
