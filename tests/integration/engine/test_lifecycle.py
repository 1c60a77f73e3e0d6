"""Create, same, update, replace in both orders, delete: whole call sequences and whole states."""

from __future__ import annotations

import threading
from typing import Any

import pulumi
import pytest
from engine_kit import PREFIX, Group, MemoryStack, TestProvider, Thing, urn
from recording_provider import Cloud

from slipway.engine.values import UNKNOWN, Secret


def chain(**sizes: Any) -> Any:
    """A program of things that each use the one before: chain(a=1, b=2) makes b depend on a."""

    def program() -> None:
        before: Thing | None = None
        for name, size in sizes.items():
            inputs = {"size": size, **({"uses": before.address} if before else {})}
            before = Thing(name, **inputs)

    return program


def test_up_creates_in_dependency_order_when_stack_is_new(stack: MemoryStack, cloud: Cloud) -> None:
    run = stack.up(chain(a=1, b=2))
    assert run.errors == []
    assert cloud.taken("check", "create", "diff") == [
        ("check", "a", {}, {"size": 1}),
        ("create", "a", {"size": 1}),
        ("check", "b", {}, {"size": 2, "uses": "address-of-a-1"}),
        ("create", "b", {"size": 2, "uses": "address-of-a-1"}),
    ]
    assert run.steps == [("create", "a"), ("create", "b")]
    assert run.changes == {"create": 3}  # the stack counts, its default provider does not
    b = run.record("b")
    assert b.id == "b-2"
    assert b.inputs == {"size": 2, "uses": "address-of-a-1"}
    assert b.outputs == {"size": 2, "uses": "address-of-a-1", "address": "address-of-b-2"}
    assert b.dependencies == (urn("a"),)
    assert b.property_dependencies == {"size": (), "uses": (urn("a"),)}
    assert b.parent == f"{PREFIX}pulumi:pulumi:Stack::proj-dev"
    provider = run.record("default_1_2_3")
    assert provider.inputs == {"__internal": {}, "version": "1.2.3"}
    assert provider.outputs == {"version": "1.2.3"}
    assert b.provider == f"{provider.urn}::{provider.id}"
    assert b.created is not None
    assert b.created == b.modified


def test_up_touches_nothing_when_nothing_changed(stack: MemoryStack, cloud: Cloud) -> None:
    before = stack.up(chain(a=1, b=2)).snapshot
    run = stack.up(chain(a=1, b=2))
    assert cloud.taken("create", "update", "delete") == []
    assert [call[:2] for call in cloud.taken("diff")] == [("diff", "a"), ("diff", "b")]
    assert run.changes == {"same": 3}
    assert sorted(before.resources, key=lambda s: s.urn) == sorted(run.snapshot.resources, key=lambda s: s.urn)


def test_up_gives_check_old_inputs_and_diff_old_outputs(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(chain(a=1))
    stack.up(chain(a=2))
    assert cloud.taken("check", "diff", "update") == [
        ("check", "a", {"size": 1}, {"size": 2}),
        ("diff", "a", "a-1", {"size": 1}, {"size": 1, "address": "address-of-a-1"}, {"size": 2}),
        ("update", "a", "a-1", {"size": 2}),
    ]


def test_up_updates_in_place_when_the_provider_needs_no_replacement(stack: MemoryStack) -> None:
    created = stack.up(chain(a=1)).record("a")
    run = stack.up(chain(a=2))
    after = run.record("a")
    assert run.changes == {"same": 1, "update": 1}
    assert after.id == "a-1"
    assert after.inputs == {"size": 2}
    assert after.outputs == {"size": 2, "address": "address-of-a-1"}
    assert after.created == created.created
    assert after.modified is not None
    assert created.modified is not None
    assert after.modified > created.modified


def zoned(zone: str, **opts: Any) -> Any:
    def program() -> None:
        a = Thing("a", zone=zone, opts=pulumi.ResourceOptions(**opts))
        Thing("b", uses=a.address)

    return program


def test_up_replaces_create_first_when_the_provider_wants_a_replacement(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(zoned("x"))
    run = stack.up(zoned("y"))
    assert cloud.taken("create", "update", "delete") == [
        ("create", "a", {"zone": "y"}),
        ("update", "b", "b-2", {"uses": "address-of-a-3"}),
        ("delete", "a", "a-1"),
    ]
    assert run.steps == [
        ("create-replacement", "a"),
        ("replace", "a"),
        ("update", "b"),
        ("delete-replaced", "a"),
    ]
    assert run.changes == {"same": 1, "replace": 1, "update": 1}
    assert run.record("a").id == "a-3"


def test_up_keeps_both_records_when_the_old_one_cannot_be_deleted(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(zoned("x"))

    def refuse(ctx: object) -> None:
        raise RuntimeError("still in use")

    cloud.on_delete["a"] = refuse
    run = stack.up(zoned("y"))
    assert not run.ok
    assert [(state.id, state.delete) for state in run.records("a")] == [("a-3", False), ("a-1", True)]
    cloud.on_delete.clear()
    run = stack.up(zoned("y"))
    assert cloud.taken("create", "update", "delete") == [("delete", "a", "a-1")]
    assert [(state.id, state.delete) for state in run.records("a")] == [("a-3", False)]


def test_up_deletes_dependents_first_when_replacing_delete_first(stack: MemoryStack, cloud: Cloud) -> None:
    cloud.replace_keys = ("zone", "uses")
    stack.up(zoned("x", delete_before_replace=True))
    run = stack.up(zoned("y", delete_before_replace=True))
    assert cloud.taken("create", "update", "delete") == [
        ("delete", "b", "b-2"),
        ("delete", "a", "a-1"),
        ("create", "a", {"zone": "y"}),
        ("create", "b", {"uses": "address-of-a-3"}),
    ]
    assert run.steps == [
        ("delete-replaced", "b"),
        ("delete-replaced", "a"),
        ("replace", "a"),
        ("create-replacement", "a"),
        ("replace", "b"),
        ("create-replacement", "b"),
    ]
    assert run.changes == {"same": 1, "replace": 2}
    assert [(state.id, state.pending_replacement) for state in run.snapshot.resources if state.custom][1:] == [
        ("a-3", False),
        ("b-4", False),
    ]


def test_up_leaves_dependents_alone_when_they_need_no_replacement(stack: MemoryStack, cloud: Cloud) -> None:
    cloud.delete_first = True
    stack.up(zoned("x"))
    stack.up(zoned("y"))
    assert cloud.taken("create", "update", "delete") == [
        ("delete", "a", "a-1"),
        ("create", "a", {"zone": "y"}),
        ("update", "b", "b-2", {"uses": "address-of-a-3"}),
    ]


def test_up_prefers_the_programs_order_to_the_providers(stack: MemoryStack, cloud: Cloud) -> None:
    cloud.delete_first = True
    stack.up(zoned("x", delete_before_replace=False))
    stack.up(zoned("y", delete_before_replace=False))
    assert [call[:2] for call in cloud.taken("create", "delete")] == [("create", "a"), ("delete", "a")]


def test_up_finishes_an_interrupted_delete_first_replacement(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(zoned("x", delete_before_replace=True))

    def fail(ctx: object, inputs: object) -> None:
        raise RuntimeError("no capacity")

    cloud.on_create["a"] = fail
    run = stack.up(zoned("y", delete_before_replace=True))
    assert not run.ok
    assert [(s.id, s.pending_replacement) for s in run.records("a")] == [("a-1", True)]
    cloud.on_create.clear()
    run = stack.up(zoned("y", delete_before_replace=True))
    assert run.ok
    assert cloud.taken("create", "delete") == [("create", "a", {"zone": "y"})]
    assert run.record("a").pending_replacement is False


def test_up_drops_an_interrupted_replacement_that_the_program_no_longer_wants(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(zoned("x", delete_before_replace=True))
    cloud.on_create["a"] = lambda *_: 1 / 0
    stack.up(zoned("y", delete_before_replace=True))
    run = stack.up(lambda: None)
    assert run.ok
    assert cloud.taken("create", "delete") == [("delete", "b", "b-2")]
    assert ("remove-pending-replace", "a") in run.steps
    assert run.names() == []


def test_up_makes_new_generated_names_when_replacing(stack: MemoryStack, cloud: Cloud) -> None:
    def program(zone: str) -> Any:
        return lambda: Thing("a", autoName=True, zone=zone)

    first = stack.up(program("x")).record("a").inputs["name"]
    kept = stack.up(program("x")).record("a").inputs["name"]
    replaced = stack.up(program("y")).record("a").inputs["name"]
    assert kept == first
    assert replaced != first
    assert [call[2] for call in cloud.taken("check")] == [{"autoName": True, "zone": "x", "name": first}, {}]


def test_up_deletes_what_the_program_no_longer_wants_dependents_first(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(chain(a=1, b=2, c=3))
    run = stack.up(lambda: None)
    assert cloud.taken("delete") == [("delete", "c", "c-3"), ("delete", "b", "b-2"), ("delete", "a", "a-1")]
    assert run.changes == {"same": 1, "delete": 3}
    assert run.names() == []
    assert [state.type for state in run.snapshot.resources] == ["pulumi:pulumi:Stack"]


def test_destroy_deletes_children_before_parents_and_the_provider_last(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        group = Group("g")
        a = Thing("a", opts=pulumi.ResourceOptions(parent=group))
        Thing("b", uses=a.address)

    stack.up(program)
    run = stack.destroy()
    assert cloud.taken("delete") == [("delete", "b", "b-2"), ("delete", "a", "a-1")]
    order = [name for op, name in run.begun()]
    assert order.index("b") < order.index("a") < order.index("g") < order.index("proj-dev")
    assert order.index("a") < order.index("default_1_2_3")
    assert run.snapshot.resources == ()


def test_destroy_waits_for_the_children_of_a_component_that_others_depend_on(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        group = Group("g")
        Thing("inner", opts=pulumi.ResourceOptions(parent=group))
        Thing("outer", opts=pulumi.ResourceOptions(depends_on=[group]))

    stack.up(program)
    stack.destroy()
    assert [call[1] for call in cloud.taken("delete")] == ["outer", "inner"]


def test_destroy_configures_providers_from_the_state(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        provider = TestProvider("p", region="eu-west-1", token=pulumi.Output.secret("hush"))
        Thing("a", opts=pulumi.ResourceOptions(provider=provider))

    stack.up(program)
    stack.destroy()
    assert cloud.taken("configure", "delete") == [
        ("configure", "p", {"region": "eu-west-1", "token": "hush"}),
        ("delete", "a", "a-1"),
    ]


def test_preview_calls_nothing_that_changes_and_leaves_the_state(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(zoned("x"))
    before = stack.snapshot
    run = stack.preview(zoned("y"))
    assert cloud.taken("create", "update", "delete") == []
    assert run.changes == {"same": 1, "replace": 1, "update": 1}
    assert stack.snapshot is before


def test_preview_runs_applies_of_inputs_but_not_of_unknown_outputs(stack: MemoryStack) -> None:
    seen: list[Any] = []

    def program() -> None:
        a = Thing("a", size=7)
        a.size.apply(lambda value: seen.append(("size", value)))
        a.address.apply(lambda value: seen.append(("address", value)))
        a.id.apply(lambda value: seen.append(("id", value)))
        pulumi.export("address", a.address)

    run = stack.preview(program)
    assert seen == [("size", 7)]
    assert run.outputs == {"address": UNKNOWN}
    stack.up(program)
    assert sorted(seen[1:]) == [("address", "address-of-a-1"), ("id", "a-1"), ("size", 7)]


def test_preview_passes_unknowns_to_check(stack: MemoryStack, cloud: Cloud) -> None:
    stack.preview(chain(a=1, b=2))
    assert cloud.taken("check")[-1] == ("check", "b", {}, {"size": 2, "uses": UNKNOWN})


def test_preview_of_a_replacement_makes_dependents_see_unknown_outputs(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(zoned("x"))
    stack.preview(zoned("y"))
    assert cloud.taken("diff")[-1][-1] == {"uses": UNKNOWN}


def test_component_is_recorded_with_the_outputs_it_registers(stack: MemoryStack) -> None:
    def program(value: str) -> Any:
        def run() -> None:
            group = Group("g")
            a = Thing("a", opts=pulumi.ResourceOptions(parent=group), tag=value)
            group.register_outputs({"address": a.address, "tag": value})

        return run

    first = stack.up(program("x"))
    component = first.record("g")
    assert component.custom is False
    assert component.id == ""
    assert component.provider == ""
    assert component.outputs == {"address": "address-of-a-1", "tag": "x"}
    assert first.record("a").urn == f"{PREFIX}test:index:Group$test:index:Thing::a"
    second = stack.up(program("y"))
    assert second.record("g").outputs == {"address": "address-of-a-1", "tag": "y"}
    assert second.record("g").created == component.created


def test_stack_outputs_are_recorded_and_returned(stack: MemoryStack) -> None:
    def program() -> None:
        a = Thing("a")
        pulumi.export("address", a.address)
        pulumi.export("password", pulumi.Output.secret("hush"))
        pulumi.export("nested", {"list": [1, 2.5, None, True]})

    run = stack.up(program)
    expected = {"address": "address-of-a-1", "password": Secret("hush"), "nested": {"list": [1, 2.5, None, True]}}
    assert run.outputs == expected
    assert run.record("proj-dev").outputs == expected


@pytest.mark.parametrize("parallel", [1, 4])
def test_up_never_runs_more_operations_at_once_than_allowed(stack: MemoryStack, cloud: Cloud, parallel: int) -> None:
    lock = threading.Lock()
    now = peak = 0
    full = threading.Event()

    def create(ctx: object, inputs: object) -> None:
        nonlocal now, peak
        with lock:
            now += 1
            peak = max(peak, now)
            if now == parallel:
                full.set()
        full.wait(60)  # nobody goes on before as many as allowed are here
        with lock:
            now -= 1

    names = [f"t{i}" for i in range(8)]
    cloud.on_create = dict.fromkeys(names, create)
    run = stack.up(lambda: [Thing(name) for name in names] and None, parallel=parallel)
    assert run.ok
    assert peak == parallel
