"""What the program asks beside registrations: functions, transforms, hooks, stack references, logs."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from engine_kit import Group, MemoryStack, TestProvider, Thing, urn
from pulumi.runtime.resource import exists_resource
from recording_provider import Cloud

from slipway.engine.state.model import ResourceState, Snapshot
from slipway.engine.values import UNKNOWN, Secret

FUNCTION = "test:index:echo"


def test_function_is_run_in_previews_too_and_its_result_used(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        answer = pulumi.runtime.invoke(FUNCTION, {"value": 5}, pulumi.InvokeOptions(version="1.2.3")).value
        Thing("a", size=answer["echo"])

    run = stack.preview(program)
    assert run.ok
    assert cloud.taken("invoke") == [("invoke", FUNCTION, {"value": 5})]
    assert stack.up(program).record("a").inputs == {"size": 5}


def test_function_in_output_form_waits_for_what_it_depends_on(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        a = Thing("a")
        answer = pulumi.runtime.invoke_output(
            FUNCTION, {"value": a.address}, pulumi.InvokeOutputOptions(depends_on=[a])
        )
        pulumi.export("answer", answer.apply(lambda value: value["echo"]))

    assert stack.preview(program).outputs == {"answer": UNKNOWN}
    assert cloud.taken("invoke") == []
    assert stack.up(program).outputs == {"answer": "address-of-a-1"}


def test_secret_argument_makes_the_result_secret(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        answer = pulumi.runtime.invoke_output(FUNCTION, {"value": pulumi.Output.secret("hush")})
        pulumi.export("answer", answer.apply(lambda value: value["echo"]))

    assert stack.up(program).outputs == {"answer": Secret("hush")}
    assert cloud.taken("invoke") == [("invoke", FUNCTION, {"value": "hush"})]


def test_function_uses_the_explicit_provider(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        provider = TestProvider("p", region="x")
        pulumi.runtime.invoke_output(FUNCTION, {"value": 1}, pulumi.InvokeOptions(provider=provider))

    run = stack.up(program)
    assert run.ok
    assert [call[1] for call in cloud.taken("configure")] == ["p"]


def test_function_that_fails_is_the_programs_error(stack: MemoryStack) -> None:
    run = stack.up(lambda: pulumi.runtime.invoke("test:index:fail", {}) and None)
    assert "the function failed" in run.errors[0]


def test_function_that_refuses_its_arguments_names_them(stack: MemoryStack) -> None:
    run = stack.up(lambda: pulumi.runtime.invoke("test:index:refuse", {}) and None)
    assert "is wrong" in run.errors[0]


def test_exists_asks_the_provider_and_registers_nothing(stack: MemoryStack, cloud: Cloud) -> None:
    cloud.live["live-7"] = {"size": 1}

    def exists(resource_id: pulumi.Input[str]) -> pulumi.Output[bool]:
        return exists_resource(None, "test:index:Thing", resource_id, {}, pulumi.ResourceOptions(version="1.2.3"))

    def program() -> None:
        pulumi.export("there", exists("live-7"))
        pulumi.export("gone", exists("nobody"))
        pulumi.export("made", exists(Thing("a").id))

    assert stack.preview(program).outputs == {"there": True, "gone": False, "made": UNKNOWN}
    run = stack.up(program)
    assert run.ok, run.errors
    assert run.outputs == {"there": True, "gone": False, "made": True}
    assert run.names() == ["a"]


# ---------------------------------------------------------------- transforms


def test_stack_transform_changes_inputs_and_options_of_every_resource(stack: MemoryStack) -> None:
    def tag(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.type_ != "test:index:Thing":
            return None
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
        return pulumi.ResourceTransformResult(props={**args.props, "tag": f"of-{args.name}"}, opts=opts)

    def program() -> None:
        pulumi.runtime.register_resource_transform(tag)
        a = Thing("a", size=1)
        Thing("b", uses=a.address, opts=pulumi.ResourceOptions(ignore_changes=["x"]))

    run = stack.up(program)
    assert run.ok, run.errors
    assert run.record("a").inputs == {"size": 1, "tag": "of-a"}
    assert run.record("a").protect is True
    b = run.record("b")
    assert b.inputs == {"uses": "address-of-a-1", "tag": "of-b"}
    assert b.dependencies == (urn("a"),)
    assert b.ignore_changes == ("x",)
    assert stack.up(program).changes == {"same": 3}


def test_own_transform_comes_before_the_components_and_the_stacks(stack: MemoryStack) -> None:
    def adding(letter: str) -> Any:
        def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
            trail = f"{args.props.get('trail', '')}{letter}"
            return pulumi.ResourceTransformResult(props={**args.props, "trail": trail}, opts=args.opts)

        return transform

    def program() -> None:
        pulumi.runtime.register_resource_transform(adding("s"))
        group = Group("g", opts=pulumi.ResourceOptions(transforms=[adding("g")]))
        Thing("a", opts=pulumi.ResourceOptions(parent=group, transforms=[adding("a")]))

    run = stack.up(program)
    assert run.ok, run.errors
    assert run.record("a").inputs == {"trail": "ags"}


def test_transform_keeps_secrets(stack: MemoryStack, cloud: Cloud) -> None:
    def touch(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
        return pulumi.ResourceTransformResult(props={**args.props, "more": 1}, opts=args.opts)

    def program() -> None:
        pulumi.runtime.register_resource_transform(touch)
        Thing("a", password=pulumi.Output.secret("hush"))

    run = stack.up(program)
    assert run.record("a").inputs == {"password": Secret("hush"), "more": 1}


def test_transform_that_fails_fails_the_registration(stack: MemoryStack, cloud: Cloud) -> None:
    def broken(args: pulumi.ResourceTransformArgs) -> None:
        raise ValueError("bad transform")

    def program() -> None:
        pulumi.runtime.register_resource_transform(broken)
        Thing("a")

    run = stack.up(program)
    assert "bad transform" in run.errors[0]
    assert cloud.taken("create") == []


def test_invoke_transform_changes_arguments(stack: MemoryStack, cloud: Cloud) -> None:
    def double(args: pulumi.InvokeTransformArgs) -> pulumi.InvokeTransformResult:
        return pulumi.InvokeTransformResult(args={"value": args.args["value"] * 2}, opts=args.opts)

    def program() -> None:
        pulumi.runtime.register_invoke_transform(double)
        answer = pulumi.runtime.invoke_output(FUNCTION, {"value": 4})
        pulumi.export("answer", answer.apply(lambda value: value["echo"]))

    assert stack.up(program).outputs == {"answer": 8}


# ---------------------------------------------------------------- hooks


def hooked(trail: list[str], **bindings: str) -> Any:
    """A thing with one hook at each of the points; each notes its point and what it is told."""

    def program() -> None:
        def note(point: str) -> pulumi.ResourceHook:
            def callback(args: pulumi.ResourceHookArgs) -> None:
                trail.append(f"{point} {args.name} id={args.id or '-'}")

            return pulumi.ResourceHook(f"note-{point}", callback)

        points = {point: [note(point)] for point in bindings}
        size = next(iter(bindings.values()), "1")
        Thing("a", size=size, opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(**points)))

    return program


def test_hooks_run_around_create_and_update(stack: MemoryStack) -> None:
    trail: list[str] = []
    assert stack.up(hooked(trail, before_create="1", after_create="1")).ok
    assert trail == ["before_create a id=-", "after_create a id=a-1"]
    trail.clear()
    assert stack.up(hooked(trail, before_update="2", after_update="2")).ok
    assert trail == ["before_update a id=a-1", "after_update a id=a-1"]


def test_delete_hooks_run_while_the_program_is_still_there(stack: MemoryStack) -> None:
    trail: list[str] = []
    stack.up(hooked(trail, before_delete="1", after_delete="1"))

    def without() -> None:
        for point in ("before_delete", "after_delete"):
            pulumi.ResourceHook(f"note-{point}", lambda args, point=point: trail.append(f"{point} {args.name}"))

    run = stack.up(without)
    assert run.ok, run.errors
    assert trail == ["before_delete a", "after_delete a"]


def test_hooks_do_not_run_in_previews_unless_asked(stack: MemoryStack) -> None:
    trail: list[str] = []
    assert stack.preview(hooked(trail, before_create="1")).ok
    assert trail == []


def test_failing_before_hook_stops_the_step(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        def refuse(args: pulumi.ResourceHookArgs) -> None:
            raise RuntimeError("not on a Friday")

        hook = pulumi.ResourceHook("guard", refuse)
        Thing("a", opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_create=[hook])))

    run = stack.up(program)
    assert "not on a Friday" in run.errors[0]
    assert cloud.taken("create") == []


def test_failing_after_hook_is_only_told(stack: MemoryStack) -> None:
    def program() -> None:
        def refuse(args: pulumi.ResourceHookArgs) -> None:
            raise RuntimeError("mail server is down")

        hook = pulumi.ResourceHook("mail", refuse)
        Thing("a", opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=[hook])))

    run = stack.up(program)
    assert run.ok
    assert run.names() == ["a"]
    assert any("mail server is down" in message for message in run.messages("warning"))


def test_destroy_without_the_program_refuses_delete_hooks_by_name(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(hooked([], before_delete="1"))
    run = stack.destroy()
    assert "the before_delete hook note-before_delete is not registered" in run.errors[0]
    assert cloud.taken("delete") == []


# ---------------------------------------------------------------- stack references


def other_stack() -> Snapshot:
    outputs = {"address": "10.0.0.1", "password": Secret("hush")}
    record = ResourceState(
        urn="urn:pulumi:prod::net::pulumi:pulumi:Stack::net-prod",
        type="pulumi:pulumi:Stack",
        custom=False,
        outputs=outputs,
    )
    return Snapshot(resources=(record,))


def test_stack_reference_reads_the_other_stacks_outputs(stack: MemoryStack) -> None:
    stack.other_stacks["organization/net/prod"] = other_stack()

    def program() -> None:
        reference = pulumi.StackReference("organization/net/prod")
        pulumi.export("address", reference.get_output("address"))
        pulumi.export("password", reference.get_output("password"))
        pulumi.export("missing", reference.get_output("missing"))

    run = stack.up(program)
    assert run.ok, run.errors
    assert run.outputs == {"address": "10.0.0.1", "password": Secret("hush")}  # None is no output
    record = run.record("organization/net/prod")
    assert record.external is True
    assert record.outputs["secretOutputNames"] == ["password"]
    assert stack.up(program).changes == {"same": 1}
    run = stack.up(lambda: None)
    assert run.steps == [("discard", "organization/net/prod")]


def test_resource_as_a_property_is_a_reference(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        a = Thing("a")
        group = Group("g")
        group.register_outputs({"thing": a})

    run = stack.up(program)
    assert run.ok, run.errors
    reference = run.record("g").outputs["thing"]
    assert (reference.urn, reference.id) == (urn("a"), "a-1")


def test_stash_keeps_its_first_input(stack: MemoryStack) -> None:
    def program(value: str) -> Any:
        return lambda: pulumi.export("kept", pulumi.Stash("s", input=value).output)

    assert stack.up(program("one")).outputs == {"kept": "one"}
    assert stack.up(program("two")).outputs == {"kept": "one"}


# ---------------------------------------------------------------- messages and output


def test_log_messages_become_diagnostics_with_their_resource(stack: MemoryStack) -> None:
    def program() -> None:
        a = Thing("a")
        pulumi.log.warn("too small", a)
        pulumi.log.info("hello")
        pulumi.log.debug("noise")

    run = stack.up(program)
    assert "too small" in run.messages("warning")
    assert run.messages("info") == ["hello"]
    assert run.messages("debug") == []


def test_printed_lines_are_passed_on_whole(stack: MemoryStack, capsys: pytest.CaptureFixture[str]) -> None:
    def program() -> None:
        print("one", end=" ")  # noqa: T201 - what is tested
        print("two")  # noqa: T201
        print("three", end="")  # noqa: T201

    run = stack.up(program)
    assert run.printed() == "one two\nthree"
    assert capsys.readouterr().out == ""


def test_refuses_what_it_does_not_support_by_name(stack: MemoryStack) -> None:
    class Remote(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Remote", "r", {}, None, remote=True)

    run = stack.up(lambda: Remote() and None)
    assert "does not support remote components" in run.errors[0]


def test_async_program_is_awaited(stack: MemoryStack) -> None:
    async def program() -> None:
        pulumi.export("size", Thing("a", size=3).size)

    run = stack.up(program)
    assert run.ok
    assert run.outputs == {"size": 3}


class ThingModule(pulumi.runtime.ResourceModule):
    """Tells the SDK how to make a `Thing` of a reference."""

    def version(self) -> Any:
        return None

    def construct(self, name: str, typ: str, urn: str) -> pulumi.Resource:
        return Thing(name, pulumi.ResourceOptions(urn=urn))


def test_reference_that_comes_back_is_a_resource_with_its_outputs(stack: MemoryStack) -> None:
    pulumi.runtime.register_resource_module("test", "index", ThingModule())

    def program() -> None:
        a = Thing("a", size=7)
        answer = pulumi.runtime.invoke_output(FUNCTION, {"value": a})
        pulumi.export("size", answer.apply(lambda value: value["echo"].size))
        pulumi.export("urn", answer.apply(lambda value: value["echo"].urn))

    run = stack.up(program)
    assert run.ok, run.errors
    assert run.outputs == {"size": 7, "urn": urn("a")}
