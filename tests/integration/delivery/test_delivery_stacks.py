"""The stack through the engine in this process, with a provider of three lines, and through a CLI that is not installed."""

# ruff: noqa: A002 - `id` is the provider interface's own name

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from slipway.delivery.adapters.automation_stack import AutomationStack
from slipway.delivery.adapters.engine_stack import EngineStack
from slipway.delivery.model.target import parse_target
from slipway.delivery.simulation.rehearsal import Rehearsal
from slipway.engine import Engine
from slipway.engine.provider import CallContext, CreateResult, DiffChanges, DiffResult, Provider, ReadResult
from slipway.engine.values import PropertyMap
from slipway.errors import MachineError, OperationError
from slipway.stack.preview import UNKNOWN_TEXT
from slipway.stack.report import render_markdown

SECRET = "hooks.example/hunter2"


class Things(Provider):
    """Things that exist once they are asked for; another size means another thing."""

    name = "fake"
    version = "1.0.0"

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        if inputs.get("fails"):
            raise OperationError("no more things")
        return CreateResult(id=ctx.name, outputs=inputs)

    def update(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> PropertyMap:
        return news

    def diff(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        if old_inputs == news:
            return DiffResult(changes=DiffChanges.NONE)
        replaces = ("size",) if old_inputs.get("size") != news.get("size") else ()
        return DiffResult(changes=DiffChanges.SOME, replaces=replaces)

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        return ReadResult(id=id, outputs=outputs)

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        pass


class Thing(pulumi.CustomResource):
    size: pulumi.Output[int]

    def __init__(self, name: str, kind: str = "fake:index:Thing", **inputs: Any) -> None:
        super().__init__(kind, name, {"id_of": None, **inputs}, pulumi.ResourceOptions(version="1.0.0"))


def delivery_output() -> dict[str, Any]:
    environment = Rehearsal().environment("dev")
    environment.exists = True
    return dict(environment.outputs()["delivery"])


@pytest.fixture
def stack_of(tmp_path: Path) -> Callable[[Callable[[], None]], EngineStack]:
    """A stack by its program, in a project of its own."""
    (tmp_path / "Pulumi.yaml").write_text("name: slipway\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "state").mkdir()
    environ = {"PULUMI_CONFIG_PASSPHRASE": "test", "PULUMI_BACKEND_URL": f"file://{tmp_path}/state"}

    def build(program: Callable[[], None]) -> EngineStack:
        return EngineStack(Engine(tmp_path, "dev", providers={"fake": Things}, program=program, environ=environ))

    return build


def program(*, size: int = 1, note: str = "a", password: str = "hunter2") -> Callable[[], None]:  # noqa: S107 - looked for in the output
    def run() -> None:
        thing = Thing("disk", size=size, password=pulumi.Output.secret(password))
        Thing("label", note=note, disk=thing.id)
        output = delivery_output() | {"notifications": {"webhookUrl": pulumi.Output.secret(SECRET), "topicArn": None}}
        pulumi.export("delivery", output)

    return run


def test_outputs_are_a_target_with_its_secrets_in_plain_text(
    stack_of: Callable[[Callable[[], None]], EngineStack],
) -> None:
    stack = stack_of(program())
    assert stack.outputs() == {}
    assert stack.up().changes["create"] == 3
    target = parse_target(stack.outputs())
    assert target.notifications.webhook_url == SECRET
    assert SECRET not in repr(target)
    assert stack.up().changes == {"same": 3}


def test_preview_is_read_with_reasons_and_unknowns_and_without_secrets(
    stack_of: Callable[[Callable[[], None]], EngineStack],
) -> None:
    stack_of(program()).up()
    preview = stack_of(program(size=2, password="hunter3")).preview().preview
    assert preview
    steps = {step.name: step for step in preview.steps}
    assert (steps["disk"].op, steps["disk"].replaces_because) == ("replace", ("size",))
    assert steps["label"].new["disk"] == UNKNOWN_TEXT
    assert "hunter" not in repr(preview)
    text = render_markdown(preview, "dev")
    assert "replaced because `size` changes" in text
    assert "Only follows from the above (1)" in text
    assert "hunter" not in text


def test_failed_up_is_an_operation_error(stack_of: Callable[[Callable[[], None]], EngineStack]) -> None:
    with pytest.raises(OperationError, match="no more things"):
        stack_of(lambda: Thing("disk", fails=True) and None).up()


def test_destroyed_stack_has_no_outputs_and_no_resources(
    stack_of: Callable[[Callable[[], None]], EngineStack],
) -> None:
    stack = stack_of(program())
    assert stack.resources() == 0
    stack.up()
    stack.refresh()
    assert stack.resources() > 1
    assert stack.destroy().changes["delete"] == 3
    assert "delivery" not in stack.outputs()
    assert stack.resources() == 0


def test_stack_without_anything_in_it_has_no_resources(
    stack_of: Callable[[Callable[[], None]], EngineStack],
) -> None:
    stack = stack_of(lambda: None)
    assert stack.up().changes == {"create": 1}
    assert stack.resources() == 0


def test_missing_cli_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not proven here: a real CLI; the Automation API behind it is Pulumi's own."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match="pulumi CLI is not installed"):
        AutomationStack(tmp_path, "dev").up()
