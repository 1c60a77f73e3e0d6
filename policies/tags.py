"""Whoever finds a resource knows whose it is."""

import json
from collections.abc import Iterator

from policies.rule import Properties, block, build_policy

REQUIRED = ("environment", "service", "owner", "managed-by")


def untagged(resource_type: str, properties: Properties) -> Iterator[str]:
    """AWS providers whose default tags lack a required one: they put tags on everything they make."""
    if resource_type != "pulumi:providers:aws":
        return
    declared = properties.get("defaultTags")
    # Providers get their nested configuration as JSON text.
    default_tags: Properties = {"defaultTags": json.loads(declared)} if isinstance(declared, str) else properties
    tags = block(default_tags, "defaultTags", "tags")
    missing = [tag for tag in REQUIRED if not tags.get(tag)]
    if missing:
        yield f"default tags lack {', '.join(missing)}; add them to defaultTags of the provider"


REQUIRED_TAGS = build_policy("required-tags", f"Everything in AWS carries the tags {', '.join(REQUIRED)}.", untagged)
