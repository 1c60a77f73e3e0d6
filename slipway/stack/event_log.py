"""Reads the engine's event log (`--event-log`): what was planned or done, what policies said, what went wrong.

The CLI has blinded the secrets in it. Source of the fields: `sdk/go/common/apitype/events.go`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.stack.preview import PlannedStep, Preview, name_unknowns

_PARTS = frozenset({"create-replacement", "delete-replaced", "discard-replaced"})
"""Steps of a replacement; `replace` tells of it as a whole."""


@dataclass(frozen=True, kw_only=True)
class EventLog:
    """One operation's events, in part."""

    steps: tuple[PlannedStep, ...] = ()
    changes: Mapping[str, int] = field(default_factory=dict[str, int])
    policy: tuple[str, ...] = ()
    """Policy findings, one line each, with their level first."""
    refusals: tuple[str, ...] = ()
    """Those of mandatory policies."""
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def preview(self) -> Preview:
        """The plan, for the report."""
        return Preview(
            steps=self.steps, changes=self.changes, policy=self.policy, problems=(*self.errors, *self.warnings)
        )


def read_event_log(file: Path) -> EventLog:
    """The log; empty where the CLI ended before it wrote one. A last line that a kill cut off is left out."""
    steps: list[PlannedStep] = []
    policy: list[str] = []
    refusals: list[str] = []
    errors: list[str] = []
    warnings: list[str] = []
    changes: dict[str, int] = {}
    for event in _events(file):
        if step := event.get("resourcePreEvent"):
            metadata = step["metadata"]
            if metadata["op"] not in _PARTS and not metadata["type"].startswith("pulumi:providers:"):
                steps.append(_planned(metadata))
        elif finding := event.get("policyEvent"):
            # The message begins with the policy's description, in a line of its own.
            message = finding["message"].strip().splitlines()[-1]
            line = f"{finding['enforcementLevel']}: {finding['policyName']}: {message}"
            policy.append(line)
            if finding["enforcementLevel"] == "mandatory":
                refusals.append(line)
        elif said := event.get("diagnosticEvent"):
            lines = {"error": errors, "warning": warnings}.get(said["severity"])
            if lines is not None:
                lines.append(_located(said))
        elif summary := event.get("summaryEvent"):
            changes = summary.get("resourceChanges") or {}
    return EventLog(
        steps=tuple(steps),
        changes=changes,
        policy=tuple(policy),
        refusals=tuple(refusals),
        errors=tuple(dict.fromkeys(errors)),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _events(file: Path) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        return
    for line in file.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _located(said: Mapping[str, Any]) -> str:
    name = str(said.get("urn") or "").rpartition("::")[2]
    text = str(said["message"]).strip()
    return f"{name}: {text}" if name else text


def _planned(step: Mapping[str, Any]) -> PlannedStep:
    old: dict[str, Any] = step.get("old") or {}
    new: dict[str, Any] = step.get("new") or {}
    return PlannedStep(
        op=step["op"],
        urn=step["urn"],
        changed=tuple(step.get("detailedDiff") or step.get("diffs") or ()),
        replaces_because=tuple(step.get("keys") or ()),
        provider=str(step.get("provider") or "").rpartition("::")[0],
        protected=bool(new.get("protect")),
        old=name_unknowns(old.get("inputs") or {}),
        new=name_unknowns(new.get("inputs") or {}),
    )
