"""What is known about every target: its health, and since when it drains. Kept in one file, so a restart changes nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.sandbox.traffic.health import (
    DRAINING,
    NOT_REGISTERED,
    UNCHECKED,
    UNUSED,
    Outcome,
    TargetHealth,
    after_check,
    serving_targets,
)
from slipway.sandbox.traffic.model import Plan, Target, TargetGroup


@dataclass(frozen=True)
class TargetRow:
    """One line of DescribeTargetHealth."""

    target: Target
    health: TargetHealth
    health_check_port: str


class Targets:
    """Health and draining of all targets."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._health: dict[str, dict[Target, TargetHealth]] = {}
        self._draining: dict[str, dict[Target, float]] = {}
        """Until when, in seconds since the epoch."""
        self._load()

    def follow(self, plan: Plan) -> None:
        """Take up new targets, and let those drain that are no longer registered."""
        with self._lock:
            before = self._to_json()
            for arn in (self._health.keys() | self._draining.keys()) - plan.target_groups.keys():
                self._health.pop(arn, None)
                self._draining.pop(arn, None)
            for group in plan.target_groups.values():
                self._follow_group(group)
            if self._to_json() != before:
                self._save()

    def report(self, arn: str, target: Target, outcome: Outcome, plan: Plan) -> bool:
        """Note one check; True when the target's state or reason changed."""
        with self._lock:
            group, known = plan.target_groups.get(arn), self._health.get(arn, {})
            if group is None or target not in known:
                return False
            before = known[target]
            after = known[target] = after_check(before, outcome, group.health_check)
            changed = (before.state, before.reason) != (after.state, after.reason)
            if changed:
                self._save()
            return changed

    def serving(self, plan: Plan) -> dict[str, frozenset[Target]]:
        """Who gets requests, by target group ARN."""
        with self._lock:
            return {
                arn: serving_targets(group, self._health.get(arn, {}))
                for arn, group in plan.target_groups.items()
                if group.in_use
            }

    def rows(self, group: TargetGroup, asked: Iterable[Target] = ()) -> list[TargetRow]:
        """DescribeTargetHealth: the targets `asked` for, or all registered and draining ones."""
        with self._lock:
            self._forget_drained()
            draining = self._draining.get(group.arn, {})
            listed = list(asked) or [*group.targets, *sorted(draining)]
            return [TargetRow(target, self._health_of(group, target), group.health_check.port) for target in listed]

    def states(self, group: TargetGroup) -> list[TargetHealth]:
        """The health of every registered target."""
        with self._lock:
            return [self._health_of(group, target) for target in group.targets]

    def _health_of(self, group: TargetGroup, target: Target) -> TargetHealth:
        if target in group.targets:
            if not group.in_use:
                return UNUSED
            if not group.health_check.enabled:
                return UNCHECKED
            return self._health.get(group.arn, {}).get(target, TargetHealth())
        return DRAINING if target in self._draining.get(group.arn, {}) else NOT_REGISTERED

    def _follow_group(self, group: TargetGroup) -> None:
        known = self._health.setdefault(group.arn, {})
        draining = self._draining.setdefault(group.arn, {})
        for target in set(known) - set(group.targets):
            del known[target]
            if group.in_use:
                draining[target] = time.time() + group.deregistration_delay_seconds
        for target in group.targets:
            draining.pop(target, None)
            if target not in known or not group.in_use:
                known[target] = TargetHealth()
        self._forget_drained()

    def _forget_drained(self) -> None:
        now = time.time()
        for draining in self._draining.values():
            for target in [target for target, until in draining.items() if until <= now]:
                del draining[target]

    def _to_json(self) -> dict[str, Any]:
        return {
            "health": {
                arn: {target.key: health.to_json() for target, health in known.items()}
                for arn, known in self._health.items()
            },
            "draining": {
                arn: {target.key: until for target, until in draining.items()}
                for arn, draining in self._draining.items()
            },
        }

    def _load(self) -> None:
        if not self._path.exists():
            return
        raw: Mapping[str, Mapping[str, Mapping[str, Any]]] = json.loads(self._path.read_text())
        self._health = {
            arn: {Target.from_key(key): TargetHealth(**health) for key, health in known.items()}
            for arn, known in raw["health"].items()
        }
        self._draining = {
            arn: {Target.from_key(key): float(until) for key, until in draining.items()}
            for arn, draining in raw["draining"].items()
        }

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self._to_json()))
        temporary.replace(self._path)
