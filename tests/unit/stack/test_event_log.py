"""The event log as the CLI writes it: plan, policies, diagnostics; cut off anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slipway.stack.event_log import read_event_log
from slipway.stack.preview import UNKNOWN_TEXT, PlannedStep

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
URN = "urn:pulumi:dev::shop::aws:rds/instance:Instance::db"


def written(tmp_path: Path, *events: dict[str, Any], end: str = "\n") -> Path:
    file = tmp_path / "events.json"
    file.write_text("\n".join(json.dumps(event) for event in events) + end)
    return file


def step(**metadata: Any) -> dict[str, Any]:
    return {
        "resourcePreEvent": {"metadata": {"op": "update", "urn": URN, "type": "aws:rds/instance:Instance", **metadata}}
    }


def test_step_tells_what_changes_and_why_it_replaces(tmp_path: Path) -> None:
    log = read_event_log(
        written(
            tmp_path,
            step(
                op="replace",
                keys=["kmsKeyId"],
                diffs=["kmsKeyId"],
                detailedDiff={"kmsKeyId": {"diffKind": "update-replace"}},
                old={"inputs": {"kmsKeyId": "k-1"}},
                new={"inputs": {"kmsKeyId": UNKNOWN}, "protect": True},
                provider="urn:pulumi:dev::shop::pulumi:providers:aws::main::0-1",
            ),
            step(op="create-replacement"),
            step(op="delete-replaced"),
            {"resourcePreEvent": {"metadata": {"op": "create", "urn": "u", "type": "pulumi:providers:aws"}}},
            {"summaryEvent": {"resourceChanges": {"replace": 1}}},
        )
    )
    assert log.steps == (
        PlannedStep(
            op="replace",
            urn=URN,
            changed=("kmsKeyId",),
            replaces_because=("kmsKeyId",),
            provider="urn:pulumi:dev::shop::pulumi:providers:aws::main",
            protected=True,
            old={"kmsKeyId": "k-1"},
            new={"kmsKeyId": UNKNOWN_TEXT},
        ),
    )
    assert log.preview.changes == {"replace": 1}


def test_findings_of_mandatory_policies_are_refusals(tmp_path: Path) -> None:
    def finding(level: str) -> dict[str, Any]:
        return {
            "policyEvent": {
                "enforcementLevel": level,
                "policyName": "named",
                "message": f"Things have names.\n{level} it is\n",
            }
        }

    log = read_event_log(written(tmp_path, finding("advisory"), finding("mandatory")))
    assert log.policy == ("advisory: named: advisory it is", "mandatory: named: mandatory it is")
    assert log.refusals == ("mandatory: named: mandatory it is",)


def test_errors_name_their_resource_and_are_told_once(tmp_path: Path) -> None:
    said = {"diagnosticEvent": {"severity": "error", "urn": URN, "message": "no room\n"}}
    quiet = {"diagnosticEvent": {"severity": "debug", "message": "registering"}}
    log = read_event_log(
        written(tmp_path, said, said, quiet, {"diagnosticEvent": {"severity": "warning", "message": "old"}})
    )
    assert (log.errors, log.warnings) == (("db: no room",), ("old",))


def test_log_is_read_as_far_as_it_goes_when_the_cli_was_killed(tmp_path: Path) -> None:
    assert read_event_log(tmp_path / "none.json").steps == ()
    log = read_event_log(written(tmp_path, step(), end='\n{"summaryEvent": {"resourceCh'))
    assert (len(log.steps), dict(log.changes)) == (1, {})
