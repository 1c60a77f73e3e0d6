"""Checks of the provider's own configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator

from slipway.engine.provider import CheckFailure
from slipway.engine.values import UNKNOWN, PropertyMap
from slipway.sandbox.providers.aws.schema import provider_properties

_BOOKKEEPING = frozenset({"version", "__internal", "__defaults", "pluginDownloadURL"})


def check_config(news: PropertyMap) -> Iterator[CheckFailure]:
    """Unknown properties, and nested ones that are no JSON."""
    known = provider_properties()
    for name, value in news.items():
        if name in _BOOKKEEPING:
            continue
        if name not in known:
            yield CheckFailure(
                property=name, reason=f"could not validate provider configuration: unknown property {name!r}"
            )
        elif known[name].startswith(("#", "list<", "map<")) and isinstance(value, str) and value is not UNKNOWN:
            try:
                json.loads(value)
            except ValueError as error:
                yield CheckFailure(property=name, reason=f"expected JSON text for {name}: {error}")
