"""Plans and progress as people read them, rendered to plain text."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from slipway.engine.deployment.compare import Change
from slipway.engine.display import EventLines, PlanDisplay, PreviewObject, ProgressDisplay
from slipway.engine.events import (
    DiagnosticEvent,
    Event,
    HeartbeatEvent,
    Op,
    PolicyEvent,
    PreludeEvent,
    ResourceFailedEvent,
    ResourceOutputsEvent,
    ResourcePreEvent,
    StdoutEvent,
    Step,
    SummaryEvent,
)
from slipway.engine.provider import DiffKind, PropertyDiff
from slipway.engine.state.model import ResourceState
from slipway.engine.values import UNKNOWN, Secret

PREFIX = "urn:pulumi:dev::proj::"
STACK = ResourceState(urn=f"{PREFIX}pulumi:pulumi:Stack::proj-dev", type="pulumi:pulumi:Stack", custom=False)
GROUP = ResourceState(urn=f"{PREFIX}shop:index:Group::web", type="shop:index:Group", custom=False, parent=STACK.urn)


def bucket(name: str, parent: ResourceState = STACK, **fields: Any) -> ResourceState:
    kind = "aws:s3/bucket:Bucket"
    qualified = kind if parent is STACK else f"{parent.type}${kind}"
    return ResourceState(urn=f"{PREFIX}{qualified}::{name}", type=kind, custom=True, parent=parent.urn, **fields)


def update(detailed: dict[str, DiffKind], old: ResourceState, new: ResourceState, *, op: Op = Op.UPDATE) -> Step:
    changes = {path: PropertyDiff(kind=kind) for path, kind in detailed.items()}
    keys = tuple(path.split(".")[0] for path, kind in detailed.items() if kind.value.endswith("replace"))
    return Step(op=op, urn=new.urn, old=old, new=new, change=Change(changed=True, detailed=changes, replace_keys=keys))


def summary(**changes: int) -> SummaryEvent:
    return SummaryEvent(changes=changes, duration_seconds=1.25, is_preview=True, ok=True)


def plan(*events: Event) -> str:
    stream = io.StringIO()
    display = PlanDisplay(Console(file=stream, width=120))
    for event in events:
        display(event)
    return stream.getvalue()


def ended(step: Step) -> ResourceOutputsEvent:
    return ResourceOutputsEvent(step=step, planning=True)


def test_plan_shows_changes_as_a_tree_under_their_components() -> None:
    old = bucket("logs", GROUP, inputs={"tags": {"team": "a"}, "acl": "private", "key": Secret("one")})
    new = bucket("logs", GROUP, inputs={"tags": {"team": "b"}, "acl": "private", "key": Secret("two")})
    text = plan(
        ended(Step(op=Op.SAME, urn=STACK.urn, old=STACK, new=STACK)),
        ended(Step(op=Op.SAME, urn=GROUP.urn, old=GROUP, new=GROUP)),
        ended(update({"tags.team": DiffKind.UPDATE, "key": DiffKind.UPDATE}, old, new)),
        ended(Step(op=Op.CREATE, urn=bucket("new").urn, new=bucket("new", inputs={"arn": UNKNOWN, "size": 1}))),
        ended(Step(op=Op.DELETE, urn=bucket("old").urn, old=bucket("old"))),
        summary(update=1, create=1, delete=1, same=2),
    )
    assert text.splitlines() == [
        "  shop:index:Group web",
        "└── ~ aws:s3:Bucket logs  update",
        '    ├── ~ tags.team: "a" => "b"',
        "    └── ~ key: [secret] => [secret]",
        "+ aws:s3:Bucket new  create",
        "├── + arn: known after apply",
        "└── + size: 1",
        "- aws:s3:Bucket old  delete",
        "",
        "+ 1 to create, ~ 1 to update, - 1 to delete, 2 unchanged   (1.2 s)",
    ]


def test_plan_says_why_something_is_replaced_once() -> None:
    old, new = bucket("logs", inputs={"zone": "x"}), bucket("logs", inputs={"zone": "y"})
    step = update({"zone": DiffKind.UPDATE_REPLACE}, old, new, op=Op.REPLACE)
    part = Step(op=Op.CREATE_REPLACEMENT, urn=new.urn, old=old, new=new, change=step.change, logical=False)
    gone = Step(op=Op.DELETE_REPLACED, urn=old.urn, old=old, logical=False)
    text = plan(ended(part), ended(step), ended(gone), summary(replace=1))
    assert text.splitlines()[:2] == ["± aws:s3:Bucket logs  replace", '└── ~ zone: "x" => "y"  (needs replacement)']


def test_plan_names_reasons_that_are_no_property() -> None:
    change = Change(changed=True, forced=True, replace_keys=("provider",))
    step = Step(op=Op.REPLACE, urn=bucket("a").urn, old=bucket("a"), new=bucket("a"), change=change)
    assert "replaced because of another provider" in plan(ended(step), summary(replace=1))


def test_plan_of_nothing_says_so() -> None:
    step = Step(op=Op.SAME, urn=STACK.urn, old=STACK, new=STACK)
    assert plan(ended(step), summary(same=1)) == "no resource changes: 1 unchanged   (1.2 s)\n"


def test_plan_shows_changed_outputs_messages_and_violations() -> None:
    new = ResourceState(urn=STACK.urn, type=STACK.type, custom=False, outputs={"url": "b", "key": Secret("x")})
    old = ResourceState(urn=STACK.urn, type=STACK.type, custom=False, outputs={"url": "a", "gone": 1})
    text = plan(
        StdoutEvent(message="printed\n"),
        ended(Step(op=Op.SAME, urn=STACK.urn, old=old, new=new)),
        DiagnosticEvent(message="too small", severity="warning", urn=bucket("logs").urn),
        PolicyEvent(message="no tag", policy="tags", pack="house", enforcement="mandatory", urn=bucket("logs").urn),
        summary(same=1),
    )
    assert text.splitlines() == [
        "printed",
        "outputs",
        '  ~ url: "a" => "b"',
        "  + key: [secret]",
        "  - gone: 1",
        "",
        "warning: aws:s3:Bucket logs: too small",
        "policy mandatory: logs: tags (house): no tag",
        "no resource changes: 1 unchanged   (1.2 s)",
    ]


def test_progress_without_a_terminal_is_a_line_for_each_thing_done() -> None:
    stream = io.StringIO()
    display = ProgressDisplay(Console(file=stream, width=120))
    create = Step(op=Op.CREATE, urn=bucket("new").urn, new=bucket("new"))
    same = Step(op=Op.SAME, urn=bucket("kept").urn, old=bucket("kept"), new=bucket("kept"))
    broken = Step(op=Op.DELETE, urn=bucket("old").urn, old=bucket("old"))
    for event in (
        PreludeEvent(),
        ResourcePreEvent(step=create),
        DiagnosticEvent(message="waiting", ephemeral=True, urn=create.urn),
        ResourceOutputsEvent(step=create),
        ResourceOutputsEvent(step=same),
        ResourcePreEvent(step=broken),
        ResourceFailedEvent(step=broken),
        SummaryEvent(changes={"create": 1, "same": 1}, duration_seconds=75, is_preview=False, ok=False),
    ):
        display(event)
    assert stream.getvalue().splitlines() == [
        "+ aws:s3:Bucket new created",
        "✗ aws:s3:Bucket old failed",
        "failed: + 1 created, 1 unchanged   (1 min 15 s)",
    ]


def test_event_lines_are_numbered_json() -> None:
    lines: list[str] = []
    write = EventLines(lines.append)
    write(StdoutEvent(message="a\n"))
    write(summary(same=1))
    assert [json.loads(line)["sequence"] for line in lines] == [0, 1]
    assert all(line.endswith("\n") for line in lines)


def test_preview_object_is_pulumis_and_holds_no_secret() -> None:
    collect = PreviewObject()
    old = bucket("logs", inputs={"key": Secret("one")}, id="logs-1")
    new = bucket("logs", inputs={"key": Secret("two")}, id="logs-1")
    for event in (
        PreludeEvent(config={"proj:key": "[secret]"}),
        ended(update({"key": DiffKind.UPDATE}, old, new)),
        DiagnosticEvent(message="careful", severity="warning"),
        summary(update=1),
    ):
        collect(event)
    result = collect.result
    assert result["changeSummary"] == {"update": 1}
    assert result["duration"] == 1_250_000_000
    assert result["diagnostics"] == [{"urn": "", "message": "careful", "severity": "warning"}]
    (step,) = result["steps"]
    assert (step["op"], step["oldState"]["inputs"], step["newState"]["id"]) == ("update", {"key": "[secret]"}, "logs-1")
    assert step["detailedDiff"] == {"key": {"diffKind": "update", "inputDiff": True}}
    assert "two" not in json.dumps(result)


def test_progress_tells_what_is_waited_for_when_nothing_else_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 20.0, 20.0])
    monkeypatch.setattr("slipway.engine.display.progress.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    display = ProgressDisplay(Console(file=stream, width=120))
    display(ResourcePreEvent(step=Step(op=Op.CREATE, urn=bucket("new").urn, new=bucket("new"))))
    display(DiagnosticEvent(message="waiting for DNS", ephemeral=True, urn=bucket("new").urn))
    assert stream.getvalue() == ""
    display(HeartbeatEvent())
    assert stream.getvalue().strip().startswith("creating aws:s3:Bucket new: waiting for DNS  ")
