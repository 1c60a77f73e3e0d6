"""Failures: what was done is recorded, nothing new starts, nothing is deleted, and the next run continues."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pulumi
from engine_kit import MemoryStack, TestProvider, Thing, urn
from recording_provider import Cloud, RecordingProvider

from slipway.engine.events import ResourceFailedEvent
from slipway.engine.provider import CreateResult, InitializationError, StatusUnknownError
from slipway.engine.state.model import OperationType, PendingOperation
from slipway.errors import UsageError


def boom(*args: object) -> None:
    raise RuntimeError("no capacity left")


def pair() -> None:
    a = Thing("a")
    Thing("b", uses=a.address)


def test_failed_create_stops_what_depends_on_it_and_deletes_nothing(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(lambda: Thing("obsolete") and None)
    cloud.on_create["a"] = boom
    run = stack.up(pair)
    assert run.errors == [f"{urn('a')}: create failed: RuntimeError: no capacity left"]
    assert cloud.taken("create", "delete") == [("create", "a", {})]
    assert run.names() == ["obsolete"]
    cloud.on_create.clear()
    run = stack.up(pair)
    assert run.ok
    assert run.steps == [("create", "a"), ("create", "b"), ("delete", "obsolete")]


def test_running_steps_finish_and_are_recorded_when_another_fails(stack: MemoryStack, cloud: Cloud) -> None:
    failed = threading.Event()
    slow_began = threading.Event()

    def slow(ctx: object, inputs: object) -> None:
        slow_began.set()
        assert failed.wait(60)

    def fail(ctx: object, inputs: object) -> None:
        assert slow_began.wait(60)
        failed.set()
        raise RuntimeError("no")

    cloud.on_create = {"slow": slow, "bad": fail}

    def program() -> None:
        slow_thing = Thing("slow")
        Thing("bad")
        Thing("after", uses=slow_thing.address)

    run = stack.up(program)
    assert not run.ok
    assert run.names() == ["slow"]
    assert [call[1] for call in cloud.taken("create")].count("after") == 0


def test_continue_on_error_does_what_is_independent_and_skips_dependents(stack: MemoryStack, cloud: Cloud) -> None:
    cloud.on_create["a"] = boom

    def program() -> None:
        pair()
        c = Thing("c")
        Thing("d", uses=c.address)

    run = stack.up(program, continue_on_error=True)
    assert run.errors == [f"{urn('a')}: create failed: RuntimeError: no capacity left"]
    assert sorted(run.names()) == ["c", "d"]
    assert "b" not in [call[1] for call in cloud.taken("check", "create")]
    assert run.messages("warning") == ["skipped: a, which it depends on, has failed"]


def test_check_failure_names_resource_property_and_reason(stack: MemoryStack, cloud: Cloud) -> None:
    run = stack.up(lambda: Thing("a", size="bad") and None)
    assert run.errors == [f"{urn('a')}: test:index:Thing 'a' has a problem: size: must be a number"]
    assert cloud.taken("create") == []


def test_resource_that_never_became_ready_is_kept_and_updated_next_time(stack: MemoryStack, cloud: Cloud) -> None:
    def half(ctx: Any, inputs: Any) -> None:
        cloud.live["half-1"] = {**inputs, "address": "x"}
        raise InitializationError(id="half-1", outputs={**inputs, "address": "x"}, reasons=["0 of 1 ready"])

    cloud.on_create["a"] = half
    program = lambda: Thing("a", size=1) and None  # noqa: E731
    run = stack.up(program)
    assert run.errors == [f"{urn('a')}: create failed: 0 of 1 ready"]
    record = run.record("a")
    assert (record.id, record.init_errors, record.inputs) == ("half-1", ("0 of 1 ready",), {"size": 1})
    run = stack.up(program)
    assert run.steps == [("update", "a")]
    assert run.record("a").init_errors == ()


def test_half_done_update_keeps_the_old_inputs_so_that_it_is_tried_again(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(lambda: Thing("a", size=1) and None)

    def half(ctx: Any, inputs: Any) -> None:
        raise InitializationError(id="a-1", outputs={"size": 2, "address": "y"}, reasons=["not ready"])

    cloud.on_update["a"] = half
    run = stack.up(lambda: Thing("a", size=2) and None)
    record = run.record("a")
    assert (record.inputs, record.outputs) == ({"size": 1}, {"size": 2, "address": "y"})
    cloud.on_update.clear()
    assert stack.up(lambda: Thing("a", size=2) and None).steps == [("update", "a")]


def test_failed_update_leaves_the_record_as_it_was(stack: MemoryStack, cloud: Cloud) -> None:
    before = stack.up(lambda: Thing("a", size=1) and None).record("a")
    cloud.on_update["a"] = boom
    run = stack.up(lambda: Thing("a", size=2) and None)
    assert run.record("a") == before
    assert run.snapshot.pending_operations == ()


def test_failed_delete_keeps_what_the_resource_depends_on(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(pair)
    cloud.on_delete["b"] = boom
    run = stack.destroy()
    assert not run.ok
    assert [call[1] for call in cloud.taken("delete")] == ["b"]
    assert run.names() == ["a", "b"]
    cloud.on_delete.clear()
    assert stack.destroy().snapshot.resources == ()


def test_unknown_status_is_told_as_such(stack: MemoryStack, cloud: Cloud) -> None:
    def lost(ctx: object, inputs: object) -> None:
        raise StatusUnknownError("connection lost")

    cloud.on_create["a"] = lost
    run = stack.up(lambda: Thing("a") and None)
    (event,) = [event for event in run.events if isinstance(event, ResourceFailedEvent)]
    assert event.status == 2


def test_program_error_tells_the_users_own_lines_and_deletes_nothing(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(lambda: Thing("obsolete") and None)

    def program() -> None:
        Thing("a")
        raise KeyError("replicas")

    run = stack.up(program)
    (error,) = run.errors
    assert error.startswith("the program failed: KeyError: 'replicas'\n")
    assert 'in program: raise KeyError("replicas")' in error
    assert "site-packages" not in error
    assert sorted(run.names()) == ["a", "obsolete"]
    assert cloud.taken("delete") == []


def test_error_in_an_apply_is_the_programs_error(stack: MemoryStack) -> None:
    def explode(value: str) -> str:
        raise ValueError(f"cannot use {value}")

    def program() -> None:
        broken = Thing("a").address.apply(explode)
        Thing("b", uses=broken)  # several await what is broken
        pulumi.export("x", broken)

    run = stack.up(program)
    assert any("cannot use address-of-a-1" in error for error in run.errors)
    assert any('in explode: raise ValueError(f"cannot use {value}")' in error for error in run.errors)
    assert run.names() == ["a"]


def test_exports_made_before_an_error_are_merged_over_the_old_ones(stack: MemoryStack) -> None:
    def first() -> None:
        pulumi.export("kept", 1)
        pulumi.export("changed", 1)

    def second() -> None:
        pulumi.export("changed", 2)
        raise RuntimeError("late")

    stack.up(first)
    run = stack.up(second)
    assert run.record("proj-dev").outputs == {"kept": 1, "changed": 2}


def test_provider_that_gives_no_id_fails_the_step(stack: MemoryStack, cloud: Cloud) -> None:
    class NoId(RecordingProvider):
        def create(self, ctx: Any, inputs: Any) -> CreateResult:
            return CreateResult(id="", outputs={})

    stack.make_provider = lambda: NoId(cloud)
    run = stack.up(lambda: Thing("a") and None)
    assert run.errors == [f"{urn('a')}: create failed: the provider gave no id to what it created"]


def test_interrupted_create_is_warned_of_and_kept(stack: MemoryStack, cloud: Cloud) -> None:
    done = stack.up(lambda: Thing("a", size=1) and None)
    lost = PendingOperation(resource=replace(done.record("a"), urn=urn("lost"), id=""), type=OperationType.CREATING)
    stack.snapshot = replace(stack.snapshot, pending_operations=(lost,))
    run = stack.up(lambda: Thing("a", size=1) and None)
    assert run.ok
    assert f"  * {urn('lost')}, interrupted while creating" in run.messages("warning")[0]
    assert run.snapshot.pending_operations == (lost,)
    assert stack.refresh(clear_pending_creates=True).snapshot.pending_operations == ()


def test_provider_that_resumes_creates_is_given_the_names_of_the_interrupted_one(
    stack: MemoryStack, cloud: Cloud
) -> None:
    class Resuming(RecordingProvider):
        resumes_creates = True

    stack.make_provider = lambda: Resuming(cloud)
    program = lambda: Thing("a", autoName=True) and None  # noqa: E731
    made = stack.up(program).record("a")
    interrupted = replace(made, id="", outputs={})
    rest = tuple(state for state in stack.snapshot.resources if state.urn != made.urn)
    pending = PendingOperation(resource=interrupted, type=OperationType.CREATING)
    stack.snapshot = replace(stack.snapshot, resources=rest, pending_operations=(pending,))
    run = stack.up(program)
    assert cloud.taken("create") == [("create", "a", {"autoName": True, "name": made.inputs["name"]})]
    assert run.snapshot.pending_operations == ()


def test_interrupted_replacement_is_taken_up_under_the_name_it_had(stack: MemoryStack, cloud: Cloud) -> None:
    class Resuming(RecordingProvider):
        resumes_creates = True

    stack.make_provider = lambda: Resuming(cloud)
    program = lambda zone: lambda: Thing("a", autoName=True, zone=zone) and None  # noqa: E731
    made = stack.up(program("x")).record("a")
    half_done = replace(made, id="", outputs={}, inputs={"autoName": True, "zone": "y", "name": "a-second"})
    pending = PendingOperation(resource=half_done, type=OperationType.CREATING)
    stack.snapshot = replace(stack.snapshot, pending_operations=(pending,))
    run = stack.up(program("y"))
    assert run.steps == [("create-replacement", "a"), ("replace", "a"), ("delete-replaced", "a")]
    assert cloud.taken("create") == [("create", "a", {"autoName": True, "zone": "y", "name": "a-second"})]
    assert run.snapshot.pending_operations == ()


def test_refuses_a_package_without_provider_by_name(stack: MemoryStack) -> None:
    def missing() -> Any:
        raise UsageError("no provider for package 'test'", remedy="install pulumi-resource-test")

    stack.make_provider = missing
    run = stack.up(lambda: Thing("a") and None)
    assert "no provider for package 'test'" in run.errors[0]
    assert "→ install pulumi-resource-test" in run.errors[0]


def test_delete_configures_the_old_provider_when_the_program_has_another(stack: MemoryStack, cloud: Cloud) -> None:
    def old() -> None:
        Thing("a", opts=pulumi.ResourceOptions(provider=TestProvider("p", region="x")))

    stack.up(old)
    run = stack.up(lambda: None)
    assert run.ok
    assert cloud.taken("configure", "delete") == [("configure", "p", {"region": "x"}), ("delete", "a", "a-1")]


def test_preview_tells_all_faults_at_once(stack: MemoryStack) -> None:
    def program() -> None:
        Thing("one", size="bad")
        Thing("two", size="bad")
        Thing("good")

    run = stack.preview(program)
    assert sorted(error.split("::")[-1].split(":")[0] for error in run.errors) == ["one", "two"]
    assert ("create", "good") in run.steps


def test_secrets_that_a_provider_or_the_program_repeats_are_blinded(stack: MemoryStack, cloud: Cloud) -> None:
    def refuse(ctx: object, inputs: Any) -> None:
        raise RuntimeError(f"the API refuses {inputs}")

    cloud.on_create["a"] = refuse

    def program() -> None:
        print("the password is hush-hush")  # noqa: T201 - a careless program
        Thing("a", password=pulumi.Output.secret("hush-hush"))

    run = stack.up(program)
    assert run.errors == [f"{urn('a')}: create failed: RuntimeError: the API refuses {{'password': '[secret]'}}"]
    assert not any("hush-hush" in message for message in run.messages("error"))
