"""Settings that differ from what is live: they wait for a release, and people are told so in every preview and `up`."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pulumi

from slipway.contract.colour_settings import ColourSettings

LISTED = 10
"""So many differences are told one by one."""


def tell_differences(environment: str, live: ColourSettings | None, present: pulumi.Output[ColourSettings]) -> None:
    """Warn where the live colour was released with other settings than the present ones."""
    if live is not None:
        present.apply(lambda settings: _warn(environment, find_differences(live, settings)))


def find_differences(live: ColourSettings, present: ColourSettings) -> list[str]:
    """One line for each value of the pods' template that differs, and for secrets."""
    before, after = dict(_leaves(json.loads(live.template))), dict(_leaves(json.loads(present.template)))
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    lines = [f"{path}: {_say(before.get(path))} → {_say(after.get(path))}" for path in changed]
    if present.secrets != live.secrets:
        lines.append("a secret has another value")
    return lines


def _warn(environment: str, lines: list[str]) -> None:
    if lines:
        more = [f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
        listed = "\n".join(f"  {line}" for line in (*lines[:LISTED], *more))
        pulumi.log.warn(
            f"settings differ from what is live in {environment}, which keeps its own: release to bring them out\n{listed}"
        )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Plain values by where they are: `spec.containers[orders].resources.limits.memory`."""
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[Any]", value)):
            name = cast("dict[str, Any]", item).get("name", number) if isinstance(item, dict) else number
            yield from _leaves(item, f"{path}[{name}]")
    else:
        yield path, value


def _say(value: Any) -> str:
    return "nothing" if value is None else str(value)
