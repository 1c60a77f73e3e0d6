"""A real policy pack in its own process, over its real protocol."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.engine.plugins.launch import PluginProcess
from slipway.engine.policy import PackContext, PolicyPack, PolicySubject, Severity
from slipway.engine.policy_config import EnforcementLevel
from slipway.engine.values import UNKNOWN, ResourceRef, Secret
from slipway.errors import MachineError, UsageError

PACK = """
import pulumi
from pulumi_policy import *

def size(args, report):
    if args.props["size"] > args.get_config()["max"]:
        report(f"{args.name} has {args.props['size']:.0f} in {pulumi.get_stack()}")

def count(args, report):
    if len(args.resources) > 1:
        report(f"parent {args.resources[1].parent.name}", args.resources[1].urn)

def tag(args):
    return {**args.props, "tag": "x"}

PolicyPack("demo", enforcement_level=EnforcementLevel.MANDATORY, policies=[
    ResourceValidationPolicy(
        name="size", description="Small only.", validate=size, severity=Severity.HIGH,
        config_schema=PolicyConfigSchema(properties={"max": {"type": "number", "default": 3}})),
    StackValidationPolicy(name="count", description="Few only.", validate=count,
                          enforcement_level=EnforcementLevel.ADVISORY),
    ResourceValidationPolicy(name="tag", description="Tags.", remediate=tag,
                             enforcement_level=EnforcementLevel.REMEDIATE),
])
"""
CONTEXT = PackContext(project="shop", stack="dev", preview=True)


def subject(name: str, **properties: Any) -> PolicySubject:
    """A resource named `name`, child of `one`."""
    prefix = "urn:pulumi:dev::shop::demo:index:Thing::"
    return PolicySubject(
        urn=prefix + name,
        type="demo:index:Thing",
        properties=properties,
        parent="" if name == "one" else prefix + "one",
    )


def write_pack(folder: Path, program: str) -> Path:
    """A pack's folder."""
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 2.3.4\n")
    (folder / "__main__.py").write_text(program)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pack(tmp_path, PACK)


@pytest.fixture
def pack(folder: Path) -> Iterator[PolicyPack]:
    started = PolicyPack(folder, CONTEXT)
    yield started
    started.close()


def test_violation_tells_pack_policy_level_and_resource(pack: PolicyPack) -> None:
    (violation,) = pack.analyze(subject("one", size=5))

    assert (violation.pack, violation.pack_version, violation.policy) == ("demo", "2.3.4", "size")
    assert violation.level is EnforcementLevel.MANDATORY
    assert violation.severity is Severity.HIGH
    assert violation.message == "Small only.\none has 5 in dev"
    assert violation.urn == subject("one").urn


def test_resource_passes_when_it_keeps_the_rule(pack: PolicyPack) -> None:
    assert pack.analyze(subject("one", size=Secret(2))) == []


def test_unknown_value_is_told_as_advice_when_a_policy_needs_it(pack: PolicyPack) -> None:
    (violation,) = pack.analyze(subject("one", size=UNKNOWN))

    assert violation.level is EnforcementLevel.ADVISORY
    assert "can't run policy 'size'" in violation.message


def test_stack_policy_sees_resources_and_parents(pack: PolicyPack) -> None:
    (violation,) = pack.analyze_stack([subject("one"), subject("two")])

    assert violation.message == "Few only.\nparent one"
    assert violation.urn == subject("two").urn


def test_remediation_changes_inputs_and_keeps_secrets_and_references(pack: PolicyPack) -> None:
    kept = {"password": Secret("x"), "peer": ResourceRef(urn=subject("two").urn, id="i-2"), "later": UNKNOWN}

    (remediation,) = pack.remediate(subject("one", size=1, **kept))

    assert remediation.policy == "tag"
    assert remediation.properties == {"size": 1, "tag": "x", **kept}


def test_settings_change_levels_and_properties(folder: Path) -> None:
    settings = {"all": "mandatory", "size": {"enforcementLevel": "advisory", "max": 10}, "tag": "disabled"}
    pack = PolicyPack(folder, CONTEXT, settings=settings)
    try:
        assert pack.analyze(subject("one", size=9)) == []
        assert [v.level for v in pack.analyze(subject("one", size=11))] == [EnforcementLevel.ADVISORY]
        assert [v.level for v in pack.analyze_stack([subject("one"), subject("two")])] == [EnforcementLevel.MANDATORY]
        assert pack.remediate(subject("one", size=1)) == []
    finally:
        pack.close()


def test_pack_starts_in_the_background(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    returned = threading.Event()

    def start(*arguments: Any, **options: Any) -> PluginProcess:
        assert returned.wait(60), "the pack's maker waits for its process"
        return PluginProcess(*arguments, **options)

    monkeypatch.setattr("slipway.engine.policy.PluginProcess", start)
    pack = PolicyPack(folder, CONTEXT)
    returned.set()
    assert pack.name
    pack.close()


def test_refuses_settings_with_every_fault_told(folder: Path) -> None:
    pack = PolicyPack(folder, CONTEXT, settings={"sise": "mandatory", "count": "fatal"})
    try:
        with pytest.raises(
            UsageError, match=r"(?s)no policy 'sise' in the pack.*count: 'fatal' is no enforcement level"
        ):
            pack.analyze(subject("one", size=1))
    finally:
        pack.close()


def test_refuses_a_broken_pack_with_its_own_words(tmp_path: Path) -> None:
    pack = PolicyPack(write_pack(tmp_path, "raise RuntimeError('no rules today')"), CONTEXT)
    try:
        with pytest.raises(MachineError, match=r"(?s)ended with code 1.*no rules today"):
            pack.analyze(subject("one"))
    finally:
        pack.close()


def test_refuses_a_folder_without_pack(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no PulumiPolicy\.yaml"):
        PolicyPack(tmp_path, CONTEXT)
