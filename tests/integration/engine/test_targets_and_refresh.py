"""Operations on a part of the stack, and the state brought in line with what is really there."""

from __future__ import annotations

from typing import Any

import pulumi
from engine_kit import PREFIX, Group, MemoryStack, Thing, urn
from recording_provider import Cloud, RecordingProvider

from slipway.engine.deployment.context import matches_target
from slipway.engine.provider import ProviderError
from slipway.engine.values import Secret


def program(a: int, b: int, *, c: bool = False) -> Any:
    def run() -> None:
        first = Thing("a", size=a)
        Thing("b", size=b, uses=first.address)
        if c:
            Thing("c")

    return run


def test_target_updates_only_what_it_names(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(program(1, 1))
    run = stack.up(program(2, 2), targets=(urn("a"),))
    assert run.ok, run.errors
    assert cloud.taken("update") == [("update", "a", "a-1", {"size": 2})]
    assert run.record("b").inputs == {"size": 1, "uses": "address-of-a-1"}


def test_target_leaves_out_new_resources_it_does_not_name(stack: MemoryStack, cloud: Cloud) -> None:
    run = stack.up(program(1, 1, c=True), targets=(urn("a"),))
    assert run.ok, run.errors
    assert run.names() == ["a"]


def test_target_that_needs_an_untargeted_new_resource_is_refused(stack: MemoryStack, cloud: Cloud) -> None:
    run = stack.up(program(1, 1), targets=(urn("b"),))
    assert f"depends on {urn('a')}, which is not created because no target names it" in run.errors[0]
    assert cloud.taken("create") == []


def test_target_deletes_only_what_it_names(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(program(1, 1, c=True))
    run = stack.up(lambda: None, targets=(urn("c"),))
    assert run.ok, run.errors
    assert [call[1] for call in cloud.taken("delete")] == ["c"]
    assert run.names() == ["a", "b"]


def test_target_refuses_to_delete_what_others_depend_on(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(program(1, 1))
    run = stack.destroy(targets=(urn("a"),))
    assert "depends on a target that is deleted" in run.errors[0]
    assert cloud.taken("delete") == []


def test_target_dependents_are_deleted_too_when_asked(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(program(1, 1, c=True))
    run = stack.destroy(targets=(urn("a"),), target_dependents=True)
    assert [call[1] for call in cloud.taken("delete")] == ["b", "a"]
    assert run.names() == ["c"]


def test_untouched_dependencies_stay_before_what_needs_them(stack: MemoryStack) -> None:
    """A record that the program dropped must stand before the untouched one that still names it."""
    stack.up(program(1, 1))

    def without_a() -> None:
        Thing("b", size=1)
        Thing("new", size=1)

    run = stack.up(without_a, targets=(urn("new"),))
    assert run.ok, run.errors
    names = run.names()
    assert sorted(names) == ["a", "b", "new"]
    assert names.index("a") < names.index("b")


def test_untouched_dependency_that_registers_late_stays_before_what_needs_it(stack: MemoryStack) -> None:
    stack.up(program(1, 1))

    def turned_around() -> None:
        b = Thing("b", size=1)
        Thing("a", size=1, opts=pulumi.ResourceOptions(depends_on=[b]))
        Thing("new")

    run = stack.up(turned_around, targets=(urn("new"),))
    assert run.ok, run.errors
    names = run.names()
    assert names.index("a") < names.index("b")


def test_targets_take_wildcards() -> None:
    assert matches_target("**::b", urn("b"))
    assert matches_target(f"{PREFIX}test:index:*::b", urn("b"))
    assert not matches_target("urn:*::b", urn("b"))
    assert not matches_target(urn("a"), urn("b"))


def test_replace_option_replaces_what_it_names(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(program(1, 1))
    run = stack.up(program(1, 1), replace=(urn("a"),))
    assert run.changes["replace"] == 1
    assert [call[:2] for call in cloud.taken("create", "delete")] == [("create", "a"), ("delete", "a")]


# ---------------------------------------------------------------- refresh


def test_refresh_takes_over_what_changed_outside(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(program(1, 1))
    cloud.live["a-1"] = {"size": 9, "address": "moved"}
    run = stack.refresh()
    assert run.changes == {"update": 1, "same": 1}
    assert run.record("a").outputs == {"size": 9, "address": "moved"}
    assert run.record("a").inputs == {"size": 9}
    assert cloud.taken("create", "update", "delete", "check", "diff") == []


def test_up_after_refresh_puts_it_back(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(program(1, 1))
    cloud.live["a-1"] = {"size": 9, "address": "address-of-a-1"}
    run = stack.up(program(1, 1), refresh=True)
    assert cloud.taken("update") == [("update", "a", "a-1", {"size": 1})]
    assert cloud.live["a-1"]["size"] == 1
    assert run.record("a").inputs == {"size": 1}


def test_refresh_forgets_what_is_gone_and_every_mention_of_it(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(program(1, 1))
    del cloud.live["a-1"]
    run = stack.refresh()
    assert run.changes == {"delete": 1, "same": 1}
    assert run.names() == ["b"]
    assert run.record("b").dependencies == ()
    assert run.record("b").property_dependencies == {"size": (), "uses": ()}
    run = stack.up(program(1, 1))
    assert run.steps == [("create", "a"), ("update", "b")]


def test_refresh_in_a_preview_changes_no_state(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(program(1, 1))
    before = stack.snapshot
    cloud.live["a-1"] = {"size": 9, "address": "x"}
    run = stack.preview(program(1, 1), refresh=True)
    assert ("update", "a") in run.steps
    assert stack.snapshot is before


def test_refresh_keeps_secrets_secret(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(lambda: Thing("a", password=pulumi.Output.secret("one")) and None)
    cloud.live["a-1"] = {"password": "two", "address": "x"}
    run = stack.refresh()
    assert run.record("a").outputs == {"password": Secret("two"), "address": "x"}
    assert run.record("a").inputs == {"password": Secret("two")}


def test_refresh_leaves_components_and_stack_outputs_alone(stack: MemoryStack) -> None:
    def with_component() -> None:
        group = Group("g")
        a = Thing("a", opts=pulumi.ResourceOptions(parent=group))
        group.register_outputs({"address": a.address})
        pulumi.export("address", a.address)

    stack.up(with_component)
    run = stack.refresh()
    assert run.outputs == {"address": "address-of-a-1"}
    assert run.record("g").outputs == {"address": "address-of-a-1"}


def test_refresh_that_fails_leaves_the_record_and_tells_why(stack: MemoryStack, cloud: Cloud) -> None:
    before = stack.up(program(1, 1)).record("a")

    class Offline(RecordingProvider):
        def read(self, *args: Any) -> Any:
            raise ProviderError("the API does not answer")

    stack.make_provider = lambda: Offline(cloud)
    run = stack.refresh()
    assert "refresh failed: the API does not answer" in run.errors[0]
    assert run.record("a") == before
