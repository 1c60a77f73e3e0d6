"""Policy packs in force: a mandatory violation stops its resource, in a preview all are told, and the stack is judged as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
import pytest
from engine_kit import MemoryStack, Thing, urn
from recording_provider import Cloud, RecordingProvider

from slipway.engine import Engine
from slipway.engine.events import PolicyEvent
from slipway.errors import PolicyError, UsageError

PACK = """
from pulumi_policy import *

def small(args, report):
    if args.resource_type == "test:index:Thing" and args.props.get("size", 0) > 10:
        report("size must be 10 or less; choose a smaller one")

def tagged(args, report):
    if args.resource_type == "test:index:Thing" and "tag" not in args.props:
        report("has no tag")

def few(args, report):
    things = [r for r in args.resources if r.resource_type == "test:index:Thing"]
    if len(things) > 3:
        report(f"{len(things)} things are too many")

PolicyPack("house", [
    ResourceValidationPolicy("small", "Things are small.", small, EnforcementLevel.MANDATORY),
    ResourceValidationPolicy("tagged", "Things have a tag.", tagged, EnforcementLevel.ADVISORY),
    StackValidationPolicy("few", "Stacks are small.", few, EnforcementLevel.MANDATORY),
])
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.2.0\n")
    (folder / "__main__.py").write_text(PACK)
    return folder


def policy_events(run: object) -> list[tuple[str, str, str]]:
    return [(e.policy, e.enforcement, e.urn) for e in run.events if isinstance(e, PolicyEvent)]  # type: ignore[attr-defined]


def test_mandatory_violation_stops_the_resource_and_what_needs_it(stack: MemoryStack, cloud: Cloud, pack: Path) -> None:
    def program() -> None:
        big = Thing("big", size=11, tag="x")
        Thing("next", uses=big.address, tag="x")

    run = stack.up(program, policy_packs=(pack,))
    assert policy_events(run) == [("small", "mandatory", urn("big"))]
    assert cloud.taken("create") == []
    (message,) = run.deployment.policy_errors
    assert "small (house)" in message
    assert urn("big") in message
    assert "choose a smaller one" in message


def test_preview_tells_every_violation(stack: MemoryStack, pack: Path) -> None:
    def program() -> None:
        Thing("big", size=11, tag="x")
        Thing("bigger", size=12)

    run = stack.preview(program, policy_packs=(pack,))
    assert sorted(policy_events(run)) == [
        ("small", "mandatory", urn("big")),
        ("small", "mandatory", urn("bigger")),
        ("tagged", "advisory", urn("bigger")),
    ]
    assert not run.ok


def test_advisory_violation_lets_everything_pass(stack: MemoryStack, pack: Path) -> None:
    run = stack.up(lambda: Thing("a", size=1) and None, policy_packs=(pack,))
    assert run.ok, run.errors
    assert policy_events(run) == [("tagged", "advisory", urn("a"))]


def test_stack_policy_judges_all_resources_before_anything_is_deleted(
    stack: MemoryStack, cloud: Cloud, pack: Path
) -> None:
    stack.up(lambda: Thing("obsolete") and None)

    def program() -> None:
        for number in range(4):
            Thing(f"t{number}", tag="x")

    run = stack.up(program, policy_packs=(pack,))
    assert [event[:2] for event in policy_events(run)] == [("few", "mandatory")]
    assert "4 things are too many" in run.deployment.policy_errors[0]
    assert cloud.taken("delete") == []


def test_policies_see_unknown_and_secret_values_without_failing(stack: MemoryStack, pack: Path) -> None:
    def program() -> None:
        a = Thing("a", tag=pulumi.Output.secret("hush"))
        Thing("b", uses=a.address, tag="x")

    run = stack.preview(program, policy_packs=(pack,))
    assert run.ok, run.errors
    assert policy_events(run) == []


def test_pack_that_cannot_start_fails_the_operation_once(stack: MemoryStack, cloud: Cloud, pack: Path) -> None:
    (pack / "__main__.py").write_text("import nowhere_to_be_found\n")

    def program() -> None:
        for number in range(5):
            Thing(f"t{number}")

    for run in (stack.preview(program, policy_packs=(pack,)), stack.up(program, policy_packs=(pack,))):
        (error,) = run.errors
        assert "nowhere_to_be_found" in error
    assert cloud.taken("create") == []


def test_engine_raises_a_policy_error_that_names_policy_resource_and_remedy(
    tmp_path: Path, cloud: Cloud, pack: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: proj\nruntime: python\n")
    environ = {**os.environ, "PULUMI_BACKEND_URL": f"file://{tmp_path}", "PULUMI_CONFIG_PASSPHRASE": "correct horse"}
    engine = Engine(
        project,
        "dev",
        providers={"test": lambda: RecordingProvider(cloud)},
        program=lambda: Thing("big", size=11, tag="x") and None,
        policy_packs=[pack],
        environ=environ,
    )
    for operation in (engine.preview, engine.up):
        with pytest.raises(PolicyError) as caught:
            operation()
        text = str(caught.value)
        assert "is refused by policy" in text
        assert "small (house)" in text
        assert urn("big") in text
        assert "choose a smaller one" in text
    assert cloud.taken("create") == []


def test_folder_without_a_pack_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: proj\nruntime: python\n")
    environ = {**os.environ, "PULUMI_BACKEND_URL": f"file://{tmp_path}", "PULUMI_CONFIG_PASSPHRASE": "correct horse"}
    with pytest.raises(UsageError, match=r"holds no PulumiPolicy\.yaml"):
        Engine(project, "dev", policy_packs=[project], environ=environ)
    assert not (tmp_path / ".pulumi").exists()


def test_what_a_pack_prints_is_told(stack: MemoryStack, pack: Path) -> None:
    main = pack / "__main__.py"
    main.write_text(
        main.read_text().replace("def tagged(args, report):", "def tagged(args, report):\n    print('looking')")
    )
    run = stack.up(lambda: Thing("a", size=1, tag="x") and None, policy_packs=(pack,))
    assert "looking" in run.messages("info")
