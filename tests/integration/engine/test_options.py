"""Resource options: each does what Pulumi says it does, seen in calls and in the state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi
import pytest
from engine_kit import PREFIX, Group, MemoryStack, TestProvider, Thing, urn
from recording_provider import Cloud

from slipway.engine.config import StackConfig
from slipway.engine.values import UNKNOWN, Secret


def thing(name: str = "a", inputs: dict[str, Any] | None = None, **opts: Any) -> Any:
    return lambda: Thing(name, opts=pulumi.ResourceOptions(**opts), **(inputs or {})) and None


def test_ignore_changes_keeps_the_old_value_in_check_diff_and_state(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(thing(inputs={"size": 1, "tags": {"team": "a", "cost": "x"}}))
    run = stack.up(thing(inputs={"size": 2, "tags": {"team": "b", "cost": "y"}}, ignore_changes=["size", "tags.team"]))
    kept = {"size": 1, "tags": {"team": "a", "cost": "y"}}
    assert cloud.taken("check")[-1][3] == kept
    assert cloud.taken("update") == [("update", "a", "a-1", kept)]
    assert run.record("a").inputs == kept
    assert run.record("a").ignore_changes == ("size", "tags.team")


def test_ignore_changes_removes_what_the_old_inputs_lack(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(thing(inputs={"size": 1}))
    run = stack.up(thing(inputs={"size": 1, "extra": True}, ignore_changes=["extra"]))
    assert run.changes == {"same": 2}
    assert run.record("a").inputs == {"size": 1}


def test_replace_on_changes_turns_an_update_into_a_replacement(stack: MemoryStack) -> None:
    stack.up(thing(inputs={"size": 1}))
    run = stack.up(thing(inputs={"size": 2}, replace_on_changes=["size"]))
    assert run.steps == [("create-replacement", "a"), ("replace", "a"), ("delete-replaced", "a")]


def test_protect_blocks_deletion_but_not_of_others(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        Thing("kept", opts=pulumi.ResourceOptions(protect=True))
        Thing("gone")

    stack.up(program)
    run = stack.up(lambda: None)
    assert not run.ok
    assert run.errors == [
        f"{urn('kept')}: cannot be deleted: it is protected\n  → take `protect` off it first: set it to False and run `up`"
    ]
    assert [call[1] for call in cloud.taken("delete")] == ["gone"]
    assert run.names() == ["kept"]


def test_protect_blocks_replacement_before_anything_is_done(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(thing(inputs={"zone": "x"}, protect=True))
    run = stack.up(thing(inputs={"zone": "y"}, protect=True))
    assert "cannot be replaced: it is protected" in run.errors[0]
    assert cloud.taken("create", "delete") == []
    assert run.record("a").inputs == {"zone": "x"}


def test_one_update_may_unprotect_and_replace(stack: MemoryStack) -> None:
    stack.up(thing(inputs={"zone": "x"}, protect=True))
    run = stack.up(thing(inputs={"zone": "y"}, protect=False))
    assert run.ok
    assert run.record("a").id == "a-2"


def test_children_inherit_protect_from_their_component(stack: MemoryStack) -> None:
    def program() -> None:
        group = Group("g", opts=pulumi.ResourceOptions(protect=True))
        Thing("a", opts=pulumi.ResourceOptions(parent=group))

    assert stack.up(program).record("a").protect is True


def test_retain_on_delete_drops_the_record_without_a_call(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(thing(retain_on_delete=True))
    run = stack.up(lambda: None)
    assert run.steps == [("delete", "a")]
    assert cloud.taken("delete") == []
    assert list(cloud.live) == ["a-1"]
    assert run.names() == []


def test_deleted_with_needs_no_call_when_the_container_goes_too(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        container = Thing("container")
        Thing("part", opts=pulumi.ResourceOptions(deleted_with=container))

    stack.up(program)
    stack.destroy()
    assert [call[1] for call in cloud.taken("delete")] == ["container"]


def test_deleted_with_deletes_as_ever_when_the_container_stays(stack: MemoryStack, cloud: Cloud) -> None:
    def program(*, part: bool) -> Any:
        def run() -> None:
            container = Thing("container")
            if part:
                Thing("part", opts=pulumi.ResourceOptions(deleted_with=container))

        return run

    stack.up(program(part=True))
    stack.up(program(part=False))
    assert [call[1] for call in cloud.taken("delete")] == ["part"]


def test_replace_with_replaces_when_the_named_resource_is_replaced(stack: MemoryStack) -> None:
    def program(zone: str) -> Any:
        def run() -> None:
            leader = Thing("leader", zone=zone)
            Thing("follower", opts=pulumi.ResourceOptions(replace_with=[leader]))

        return run

    stack.up(program("x"))
    run = stack.up(program("y"))
    assert run.changes == {"same": 1, "replace": 2}
    assert run.record("follower").replace_with == (urn("leader"),)


def test_replacement_trigger_replaces_only_when_its_value_changes(stack: MemoryStack) -> None:
    assert stack.up(thing(replacement_trigger="one")).ok
    assert stack.up(thing(replacement_trigger="one")).changes == {"same": 2}
    run = stack.up(thing(replacement_trigger="two"))
    assert run.changes == {"same": 1, "replace": 1}
    assert stack.up(thing()).changes == {"same": 2}


def test_custom_timeouts_reach_the_provider_and_the_state_in_seconds(stack: MemoryStack, cloud: Cloud) -> None:
    seen: list[float] = []
    cloud.on_create["a"] = lambda ctx, _: seen.append(ctx.timeout_seconds)
    timeouts = pulumi.CustomTimeouts(create="1h30m", delete="45s")
    run = stack.up(thing(custom_timeouts=timeouts))
    assert seen == [5400.0]
    assert run.record("a").custom_timeouts == {"create": 5400.0, "delete": 45.0}


def test_refuses_a_timeout_that_is_no_duration(stack: MemoryStack) -> None:
    run = stack.up(thing(custom_timeouts=pulumi.CustomTimeouts(create="soon")))
    assert "custom timeout 'soon' is no duration" in run.errors[0]


def test_additional_secret_outputs_are_secret_in_the_state_and_for_the_program(stack: MemoryStack) -> None:
    def program() -> None:
        a = Thing("a", size=1, opts=pulumi.ResourceOptions(additional_secret_outputs=["address"]))
        pulumi.export("address", a.address)

    run = stack.up(program)
    assert run.record("a").outputs == {"size": 1, "address": Secret("address-of-a-1")}
    assert run.outputs == {"address": Secret("address-of-a-1")}


def test_secret_inputs_reach_the_provider_plain_and_come_back_secret(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        a = Thing("a", password=pulumi.Output.secret("hush"), nested={"key": pulumi.Output.secret("deep")})
        Thing("b", uses=a.address.apply(str))

    run = stack.up(program)
    assert cloud.taken("create")[0] == ("create", "a", {"password": "hush", "nested": {"key": "deep"}})
    assert run.record("a").inputs == {"password": Secret("hush"), "nested": {"key": Secret("deep")}}
    assert run.record("a").outputs == {
        "password": Secret("hush"),
        "nested": {"key": Secret("deep")},
        "address": "address-of-a-1",
    }
    assert stack.up(program).changes == {"same": 3}


# ---------------------------------------------------------------- aliases


def test_alias_by_name_renames_without_touching_the_resource(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(thing("old", inputs={"size": 1}))
    run = stack.up(thing("new", inputs={"size": 1}, aliases=[pulumi.Alias(name="old")]))
    assert run.steps == [("same", "new")]
    assert cloud.taken("create", "update", "delete") == []
    assert run.names() == ["new"]
    assert run.record("new").id == "old-1"
    assert stack.up(thing("new", inputs={"size": 1})).changes == {"same": 2}


def test_alias_of_a_parent_carries_its_children(stack: MemoryStack, cloud: Cloud) -> None:
    def program(name: str, **opts: Any) -> Any:
        def run() -> None:
            group = Group(name, opts=pulumi.ResourceOptions(**opts))
            Thing(f"{name}-part", opts=pulumi.ResourceOptions(parent=group))

        return run

    stack.up(program("app"))
    run = stack.up(program("newapp", aliases=[pulumi.Alias(name="app")]))
    assert cloud.taken("create", "update", "delete") == []
    assert run.names() == ["newapp", "newapp-part"]
    assert run.record("newapp-part").parent == f"{PREFIX}test:index:Group::newapp"


def test_alias_by_parent_moves_a_resource_into_a_component(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(thing("a"))

    def program() -> None:
        group = Group("g")
        opts = pulumi.ResourceOptions(parent=group, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)])
        Thing("a", opts=opts)

    run = stack.up(program)
    assert run.ok
    assert cloud.taken("create", "delete") == []
    assert run.record("a").id == "a-1"


def test_alias_of_what_others_depend_on_leaves_them_same(stack: MemoryStack, cloud: Cloud) -> None:
    def program(name: str, **opts: Any) -> Any:
        def run() -> None:
            a = Thing(name, opts=pulumi.ResourceOptions(**opts))
            Thing("b", uses=a.address)

        return run

    stack.up(program("old"))
    run = stack.up(program("new", aliases=[pulumi.Alias(name="old")]))
    assert run.changes == {"same": 3}
    assert run.record("b").dependencies == (urn("new"),)


def test_alias_of_a_provider_leaves_its_resources_same(stack: MemoryStack, cloud: Cloud) -> None:
    def program(name: str, **opts: Any) -> Any:
        def run() -> None:
            provider = TestProvider(name, region="x", opts=pulumi.ResourceOptions(**opts))
            Thing("a", opts=pulumi.ResourceOptions(provider=provider))

        return run

    stack.up(program("p"))
    run = stack.up(program("q", aliases=[pulumi.Alias(name="p")]))
    assert cloud.taken("create", "update", "delete") == []
    assert run.names() == ["q", "a"]


def test_refuses_an_alias_that_another_resource_is_called(stack: MemoryStack) -> None:
    stack.up(thing("a"))

    def program() -> None:
        Thing("a")
        Thing("b", opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="a")], depends_on=[]))

    run = stack.up(program)
    assert not run.ok
    assert any("Duplicate resource alias" in error for error in run.errors)


def test_refuses_two_resources_of_one_name(stack: MemoryStack) -> None:
    def program() -> None:
        Thing("a")
        Thing("a")

    run = stack.up(program)
    assert f"Duplicate resource URN '{urn('a')}'; try giving it a unique name" in run.errors[0]


# ---------------------------------------------------------------- import and read


def test_import_takes_the_live_resource_into_the_state(stack: MemoryStack, cloud: Cloud) -> None:
    cloud.live["live-7"] = {"size": 1, "address": "there"}
    program = thing(inputs={"size": 1}, import_="live-7")
    run = stack.up(program)
    assert run.ok
    assert run.steps == [("import", "a")]
    assert cloud.taken("create", "update") == []
    record = run.record("a")
    assert (record.id, record.import_id, record.inputs) == ("live-7", "live-7", {"size": 1})
    assert record.outputs == {"size": 1, "address": "there"}
    assert stack.up(program).changes == {"same": 2}


def test_import_updates_what_differs_from_the_program(stack: MemoryStack, cloud: Cloud) -> None:
    cloud.live["live-7"] = {"size": 1, "address": "there"}
    run = stack.up(thing(inputs={"size": 2}, import_="live-7"))
    assert run.steps == [("import", "a"), ("update", "a")]
    assert cloud.live["live-7"] == {"size": 2, "address": "there"}
    assert run.record("a").inputs == {"size": 2}


def test_import_fails_when_there_is_nothing_of_that_id(stack: MemoryStack) -> None:
    run = stack.up(thing(import_="nobody"))
    assert run.errors == [f"{urn('a')}: import failed: resource 'nobody' does not exist"]
    assert run.records("a") == []


def test_import_replaces_a_managed_resource_of_another_id(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(thing(inputs={"size": 1}))
    cloud.live["live-7"] = {"size": 1, "address": "there"}
    run = stack.up(thing(inputs={"size": 1}, import_="live-7"))
    assert run.steps == [("import-replacement", "a"), ("replace", "a"), ("delete-replaced", "a")]
    assert run.record("a").id == "live-7"
    assert list(cloud.live) == ["live-7"]


def read(name: str, resource_id: Any, **inputs: Any) -> Thing:
    return Thing(name, opts=pulumi.ResourceOptions(id=resource_id), **inputs)


def test_read_records_an_external_resource_and_never_deletes_it(stack: MemoryStack, cloud: Cloud) -> None:
    cloud.live["live-7"] = {"size": 1, "address": "there"}

    def program() -> None:
        pulumi.export("address", read("r", "live-7").address)

    run = stack.up(program)
    assert run.outputs == {"address": "there"}
    assert run.record("r").external is True
    assert (run.record("r").created, run.record("r").modified) == (None, None)
    assert run.changes == {"create": 1, "read": 1}
    assert stack.up(program).changes == {"same": 1}
    cloud.live["live-7"]["size"] = 2
    run = stack.up(program)
    assert run.record("r").created is None
    assert run.record("r").modified is not None
    run = stack.up(lambda: None)
    assert run.steps == [("discard", "r")]
    assert list(cloud.live) == ["live-7"]


def test_read_fails_when_the_resource_does_not_exist(stack: MemoryStack) -> None:
    run = stack.up(lambda: read("r", "nobody") and None)
    assert run.errors == [f"{urn('r')}: read failed: resource 'nobody' does not exist"]


def test_read_of_an_id_not_known_yet_answers_unknown_in_preview(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        made = Thing("made")
        pulumi.export("address", read("r", made.id).address)

    run = stack.preview(program)
    assert run.ok
    assert run.outputs == {"address": UNKNOWN}
    assert cloud.taken("read") == []


def test_read_of_another_id_replaces_what_was_managed(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(thing(inputs={"size": 1}))
    cloud.live["live-7"] = {"size": 9, "address": "there"}
    run = stack.up(lambda: read("a", "live-7") and None)
    assert run.steps == [("read-replacement", "a"), ("replace", "a"), ("delete-replaced", "a")]
    assert cloud.taken("delete") == [("delete", "a", "a-1")]
    assert (run.record("a").id, run.record("a").external) == ("live-7", True)


def test_read_of_the_same_id_lets_go_of_what_was_managed(stack: MemoryStack, cloud: Cloud) -> None:
    stack.up(thing(inputs={"size": 1}))
    run = stack.up(lambda: read("a", "a-1") and None)
    assert run.steps == [("read", "a")]
    assert cloud.taken("delete") == []
    assert stack.up(lambda: None).steps == [("discard", "a")]
    assert list(cloud.live) == ["a-1"]


def test_managed_resource_takes_over_what_was_external(stack: MemoryStack, cloud: Cloud) -> None:
    cloud.live["live-7"] = {"size": 1, "address": "there"}
    stack.up(lambda: read("a", "live-7") and None)
    run = stack.up(thing(inputs={"size": 1}))
    assert run.ok
    assert cloud.taken("check")[-1] == ("check", "a", {}, {"size": 1})
    assert run.steps == [("create-replacement", "a"), ("replace", "a"), ("discard-replaced", "a")]
    assert sorted(cloud.live) == ["a-1", "live-7"]


# ---------------------------------------------------------------- providers


def test_default_provider_takes_the_stacks_configuration(stack: MemoryStack, cloud: Cloud) -> None:
    stack.config = StackConfig(
        values={"test:region": "eu-west-1", "test:token": "hush", "other:x": "1"}, secret_keys=frozenset({"test:token"})
    )
    run = stack.up(thing())
    assert cloud.taken("configure") == [
        ("configure", "default_1_2_3", {"region": "eu-west-1", "token": "hush", "version": "1.2.3"})
    ]
    record = run.record("default_1_2_3")
    assert record.parent == ""
    assert record.inputs == {"__internal": {}, "region": "eu-west-1", "token": Secret("hush"), "version": "1.2.3"}


def test_secrets_within_a_providers_configuration_stay_secret(stack: MemoryStack) -> None:
    def program() -> None:
        TestProvider("p", region="x", login={"name": "me", "token": pulumi.Output.secret("hush")})

    record = stack.up(program).record("p")

    assert record.inputs == {"region": "x", "login": {"name": "me", "token": Secret("hush")}}
    assert "hush" not in repr(record.outputs)
    assert stack.up(program).changes == {"same": 2}


def test_provider_that_an_older_engine_recorded_is_unchanged(stack: MemoryStack) -> None:
    """Once every provider got a `__internal`; the Pulumi CLI writes it where the engine set something in it or a version."""

    def program() -> None:
        TestProvider("p", region="x")

    stack.up(program)
    snapshot = stack.snapshot
    stack.snapshot = replace(
        snapshot,
        resources=tuple(
            replace(state, inputs=state.inputs | {"__internal": {}}) if state.urn.endswith("::p") else state
            for state in snapshot.resources
        ),
    )
    assert stack.up(program).changes == {"same": 2}


def test_provider_id_stays_when_its_configuration_is_updated(stack: MemoryStack, cloud: Cloud) -> None:
    def program(level: int) -> Any:
        def run() -> None:
            provider = TestProvider("p", region="x", level=level)
            Thing("a", opts=pulumi.ResourceOptions(provider=provider))

        return run

    before = stack.up(program(1)).record("p").id
    run = stack.up(program(2))
    assert run.changes == {"same": 2, "update": 1}
    assert run.record("p").id == before
    assert cloud.taken("create", "update", "delete") == []


def test_resources_are_replaced_when_their_provider_must_be(stack: MemoryStack, cloud: Cloud) -> None:
    def program(region: str) -> Any:
        def run() -> None:
            provider = TestProvider("p", region=region)
            Thing("a", opts=pulumi.ResourceOptions(provider=provider))

        return run

    old_id = stack.up(program("x")).record("p").id
    run = stack.up(program("y"))
    assert run.changes == {"same": 1, "replace": 2}
    assert run.record("p").id != old_id
    assert cloud.taken("create", "delete") == [("create", "a", {}), ("delete", "a", "a-1")]
    assert cloud.taken("configure") == [
        ("configure", "p", {"region": "y"}),
        ("configure", "p", {"region": "x"}),
    ]


def test_resources_move_to_a_default_provider_of_another_version(stack: MemoryStack, cloud: Cloud) -> None:
    def program(version: str) -> Any:
        return lambda: Thing("a", opts=pulumi.ResourceOptions(version=version)) and None

    stack.up(program("1.2.3"))
    run = stack.up(program("1.3.0"))
    assert run.changes == {"same": 2}
    assert cloud.taken("create", "update", "delete") == []
    assert run.records("default_1_2_3") == []
    assert run.record("a").provider.startswith(f"{PREFIX}pulumi:providers:test::default_1_3_0::")


def test_component_gives_its_providers_to_its_children(stack: MemoryStack) -> None:
    def program() -> None:
        provider = TestProvider("p", region="x")
        group = Group("g", opts=pulumi.ResourceOptions(providers=[provider]))
        inner = Group("inner", opts=pulumi.ResourceOptions(parent=group))
        Thing("a", opts=pulumi.ResourceOptions(parent=inner))

    run = stack.up(program)
    assert run.record("a").provider.startswith(f"{PREFIX}pulumi:providers:test::p::")
    assert run.records("default_1_2_3") == []


@pytest.mark.parametrize("names", ['["test"]', '["*"]'])
def test_refuses_a_default_provider_that_is_disabled(stack: MemoryStack, names: str) -> None:
    stack.config = StackConfig(values={"pulumi:disable-default-providers": names})
    run = stack.up(thing())
    assert "the default provider of 'test' is disabled" in run.errors[0]


def test_provider_whose_configuration_is_not_known_yet_makes_outputs_unknown(stack: MemoryStack, cloud: Cloud) -> None:
    def program() -> None:
        first = Thing("first")
        provider = TestProvider("p", endpoint=first.address)
        a = Thing("a", size=1, opts=pulumi.ResourceOptions(provider=provider))
        pulumi.export("size", a.size)

    run = stack.preview(program)
    assert run.ok
    assert [call[1] for call in cloud.taken("configure")] == ["default_1_2_3"]
    assert run.outputs == {"size": UNKNOWN}
    run = stack.up(program)
    assert run.ok
    assert run.outputs == {"size": 1}


def test_parts_of_a_replaced_container_are_replaced_without_calls_of_their_own(
    stack: MemoryStack, cloud: Cloud
) -> None:
    def program(zone: str, *, first: bool) -> Any:
        def run() -> None:
            container = Thing("container", zone=zone, opts=pulumi.ResourceOptions(delete_before_replace=first))
            Thing("part", opts=pulumi.ResourceOptions(deleted_with=container))

        return run

    stack.up(program("x", first=False))
    assert stack.up(program("y", first=False)).changes == {"same": 1, "replace": 2}
    assert [call[1] for call in cloud.taken("delete")] == ["container"]
    assert stack.up(program("z", first=True)).changes == {"same": 1, "replace": 2}
    assert [call[1] for call in cloud.taken("delete")] == ["container"]
