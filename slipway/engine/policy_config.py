"""A policy pack's settings: what the user gives, over what the pack gives itself, over what each policy is by default.

Source: `ReconcilePolicyPackConfig` of pulumi/pulumi. Property values are checked for presence only; a policy reads and judges its own.
"""

from __future__ import annotations

# grpc's generated messages are typed, their maps are not.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from google.protobuf import json_format
from pulumi.runtime.proto import analyzer_pb2

from slipway.errors import UsageError

ALL = "all"
"""The key that sets the level of every policy."""


class EnforcementLevel(StrEnum):
    """What a violation means."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    REMEDIATE = "remediate"
    DISABLED = "disabled"


def load_pack_settings(path: Path) -> dict[str, Any]:
    """Read a `--policy-pack-config` file: {"policy": "mandatory" | {"enforcementLevel": …, property: …}, "all": …}."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path), remedy="write a JSON object") from error
    if not isinstance(data, dict):
        raise UsageError("must hold a JSON object", where=str(path), remedy="write policy names and settings")
    return cast(dict[str, Any], data)


def reconcile_config(
    info: analyzer_pb2.AnalyzerInfo, settings: Mapping[str, Any], *, where: str
) -> dict[str, analyzer_pb2.PolicyConfig]:
    """The settings of every policy of a pack. Raises one UsageError with all faults."""
    known = {policy.name for policy in info.policies}
    faults = [f"no policy {name!r} in the pack" for name in sorted(set(settings) - known - {ALL})]
    parsed: dict[str, tuple[EnforcementLevel | None, dict[str, Any]]] = {}
    for name, value in settings.items():
        try:
            parsed[name] = _parse(value)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    everything = parsed.get(ALL, (None, {}))[0]
    result: dict[str, analyzer_pb2.PolicyConfig] = {}
    for policy in info.policies:
        level, properties = parsed.get(policy.name, (None, {}))
        properties = _defaults(policy) | _initial(info, policy.name) | properties
        missing = [name for name in policy.configSchema.required if name not in properties]
        faults += [f"{policy.name}: the property {name!r} is missing" for name in missing]
        number = _own_level(info, policy)
        if level or everything:
            number = analyzer_pb2.EnforcementLevel.Value((level or everything or EnforcementLevel.ADVISORY).name)
        config = analyzer_pb2.PolicyConfig(enforcementLevel=number)
        config.properties.update(properties)
        result[policy.name] = config
    if faults:
        raise UsageError(
            "the policy pack's settings have faults:\n  " + "\n  ".join(faults), where=where, remedy="mend them"
        )
    return result


def _parse(value: Any) -> tuple[EnforcementLevel | None, dict[str, Any]]:
    if isinstance(value, str):
        return _level(value), {}
    if not isinstance(value, dict):
        raise ValueError("want an enforcement level, or an object with `enforcementLevel` and properties")
    fields = dict(cast(dict[str, Any], value))
    level = fields.pop("enforcementLevel", None)
    return (None if level is None else _level(level)), fields


def _level(text: Any) -> EnforcementLevel:
    try:
        return EnforcementLevel(text)
    except ValueError:
        names = ", ".join(EnforcementLevel)
        raise ValueError(f"{text!r} is no enforcement level: want one of {names}") from None


def _own_level(info: analyzer_pb2.AnalyzerInfo, policy: analyzer_pb2.PolicyInfo) -> Any:
    """The level the pack gives a policy in its initial configuration, else the policy's own."""
    for name in (policy.name, ALL):
        if name in info.initialConfig:
            return info.initialConfig[name].enforcementLevel
    return policy.enforcementLevel


def _initial(info: analyzer_pb2.AnalyzerInfo, policy: str) -> dict[str, Any]:
    if policy not in info.initialConfig:
        return {}
    return json_format.MessageToDict(info.initialConfig[policy].properties)


def _defaults(policy: analyzer_pb2.PolicyInfo) -> dict[str, Any]:
    schema: dict[str, Any] = json_format.MessageToDict(policy.configSchema.properties)
    return {name: declared["default"] for name, declared in schema.items() if "default" in declared}
