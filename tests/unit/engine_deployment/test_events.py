"""Events as Pulumi's JSON, with secrets blinded."""

from __future__ import annotations

import json
from typing import Any

from slipway.engine.deployment.compare import Change
from slipway.engine.events import (
    CancelEvent,
    DiagnosticEvent,
    Op,
    PolicyEvent,
    PreludeEvent,
    ResourceFailedEvent,
    ResourceOutputsEvent,
    ResourcePreEvent,
    StdoutEvent,
    Step,
    SummaryEvent,
    plain_json,
    to_engine_event,
)
from slipway.engine.provider import DiffKind, PropertyDiff
from slipway.engine.state.model import ResourceState
from slipway.engine.values import UNKNOWN, UNKNOWN_SENTINEL, Asset, ResourceRef, Secret

URN = "urn:pulumi:dev::proj::test:index:Thing::a"


def record(**fields: Any) -> ResourceState:
    return ResourceState(urn=URN, type="test:index:Thing", custom=True, **fields)


def body_of(event: Any, **options: Any) -> Any:
    line = to_engine_event(event, 7, **options)
    assert line.pop("sequence") == 7
    assert isinstance(line.pop("timestamp"), int)
    json.dumps(line)
    return line


def test_step_event_has_metadata_and_blinded_states() -> None:
    change = Change(
        changed=True,
        changed_keys=("password",),
        replace_keys=("zone",),
        detailed={"password": PropertyDiff(kind=DiffKind.UPDATE)},
    )
    old = record(id="a-1", inputs={"password": Secret("one")}, outputs={"password": Secret("one")})
    new = record(id="a-1", inputs={"password": Secret("two")}, outputs={"x": UNKNOWN})
    step = Step(op=Op.UPDATE, urn=URN, old=old, new=new, change=change)
    body = body_of(ResourcePreEvent(step=step, planning=True))["resourcePreEvent"]
    assert body["planning"] is True
    metadata = body["metadata"]
    assert metadata["op"] == "update"
    assert metadata["keys"] == ["zone"]
    assert metadata["diffs"] == ["password"]
    assert metadata["detailedDiff"] == {"password": {"diffKind": "update", "inputDiff": True}}
    assert metadata["old"]["inputs"] == {"password": "[secret]"}
    assert metadata["new"]["outputs"] == {"x": UNKNOWN_SENTINEL}
    assert metadata["logical"] is True
    shown = body_of(ResourcePreEvent(step=step), show_secrets=True)["resourcePreEvent"]["metadata"]
    assert shown["new"]["inputs"] == {"password": "two"}


def test_each_event_has_its_own_key() -> None:
    step = Step(op=Op.DELETE, urn=URN, old=record(id="a-1"))
    events = {
        "preludeEvent": PreludeEvent(config={"a:b": "c"}),
        "stdoutEvent": StdoutEvent(message="hello"),
        "diagnosticEvent": DiagnosticEvent(message="m", severity="warning", urn=URN),
        "resourcePreEvent": ResourcePreEvent(step=step),
        "resOutputsEvent": ResourceOutputsEvent(step=step),
        "resOpFailedEvent": ResourceFailedEvent(step=step, status=2),
        "policyEvent": PolicyEvent(message="m", policy="p", pack="k", enforcement="mandatory", urn=URN),
        "summaryEvent": SummaryEvent(changes={"create": 1}, duration_seconds=1.5, is_preview=False, ok=True),
        "cancelEvent": CancelEvent(),
    }
    assert [list(body_of(event)) for event in events.values()] == [[key] for key in events]
    assert body_of(events["summaryEvent"])["summaryEvent"]["resourceChanges"] == {"create": 1}
    assert body_of(events["resOpFailedEvent"])["resOpFailedEvent"]["status"] == 2
    assert body_of(events["cancelEvent"]) == {"cancelEvent": {}}


def test_plain_json_shows_no_secret_unless_asked() -> None:
    value = {"a": [Secret({"deep": Secret(1)})], "b": UNKNOWN, "c": ResourceRef(urn=URN, id="a-1"), "d": None}
    assert plain_json(value) == {"a": ["[secret]"], "b": UNKNOWN_SENTINEL, "c": "a-1", "d": None}
    assert plain_json(value, show_secrets=True, unknown="?") == {"a": [{"deep": 1}], "b": "?", "c": "a-1", "d": None}


def test_plain_json_gives_assets_in_their_file_form() -> None:
    asset = plain_json(Asset(text="x", hash="abc"))
    assert (asset["text"], asset["hash"]) == ("x", "abc")


def test_default_providers_are_internal() -> None:
    provider = "urn:pulumi:dev::proj::pulumi:providers:aws"
    default = ResourceState(urn=f"{provider}::default_7_51_1", type="pulumi:providers:aws", custom=True)
    explicit = ResourceState(urn=f"{provider}::default-vpc", type="pulumi:providers:aws", custom=True)
    assert Step(op=Op.SAME, urn=default.urn, new=default).is_internal
    assert not Step(op=Op.SAME, urn=explicit.urn, new=explicit).is_internal
