"""The components as other languages see them. Not proven: Pulumi's code generation and a construction from another process."""

import ast
import inspect
import json
import re
import sys
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

import components
from components import ColourRelease, EnvironmentArgs, LoadBalancerArgs, NatGateways, Permission, PodSettings
from components.hosting import NAME, OFFERED, VERSION, Host

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "components").glob("*.py"))


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


def arguments(host: Host, component: str, inputs: dict[str, Any]) -> Any:
    """What the component's constructor is given when a program in another language asks for one."""
    return host.map_inputs(inputs, host._component_defs[component])


def test_every_component_is_offered() -> None:
    exported = {getattr(components, name) for name in components.__all__}
    assert set(OFFERED) == {each for each in exported if issubclass(each, pulumi.ComponentResource)}


def test_schema_requires_exactly_the_arguments_without_a_default(host: Host) -> None:
    resources = json.loads(host.schema or "")["resources"]
    for component in OFFERED:
        args = inspect.get_annotations(component.__init__)["args"]
        required = {
            re.sub(r"_(\w)", lambda letter: letter[1].upper(), field.name)
            for field in fields(args)
            if field.default is MISSING and field.default_factory is MISSING
        }
        assert set(resources[f"slipway:index:{component.__name__}"].get("requiredInputs", [])) == required


def test_schema_has_the_tokens_and_version_of_the_components(host: Host) -> None:
    schema = json.loads(host.schema or "")
    assert (schema["name"], schema["version"]) == (NAME, VERSION)
    for file in FILES:
        for token in re.findall(r'super\(\).__init__\("([^"]+)"', file.read_text()):
            assert token in schema["resources"]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_numbers_and_enumerations_arrive_as_the_types_the_component_declares(host: Host) -> None:
    inputs = {"vpcId": "vpc-1", "subnetIds": ["subnet-1"], "podsSecurityGroupId": "sg-1"}
    inputs |= {"weights": {"blue": 90.0, "green": 10.0}}
    got = arguments(host, "LoadBalancer", {**inputs, "testColour": "green", "testPriority": 90.0})
    want = LoadBalancerArgs(
        vpc_id="vpc-1",
        subnet_ids=["subnet-1"],
        pods_security_group_id="sg-1",
        weights={"blue": 90, "green": 10},
        test_colour="green",
        test_priority=90,
    )
    assert repr(got) == repr(want)  # 90 and 90.0 are equal, but not in a name
    got = arguments(host, "Environment", {"cidr": "10.0.0.0/16", "zones": ["a", "b"], "natGateways": "per-zone"})
    assert got == EnvironmentArgs(cidr="10.0.0.0/16", zones=["a", "b"], nat_gateways=NatGateways.PER_ZONE)


def test_nested_arguments_arrive_as_theirs_and_outputs_as_they_are(host: Host) -> None:
    release = {"release": "r-1", "version": "1.0.0", "image": "orders@sha256:" + "0" * 64}
    pending = object()  # stands for an output: making one would need an event loop
    inputs = {
        "service": "orders",
        "clusterName": pending,
        "permissions": [{"actions": ["sqs:SendMessage"], "resources": [pending]}],
        "colours": {"blue": release},
        "targetGroupArns": {"blue": "arn:blue", "green": "arn:green"},
        "environment": {"DATABASE_HOST": pending},
        "pod": {"memoryMib": 256.0},
    }
    got = arguments(host, "BlueGreenService", inputs)
    assert got.colours == {"blue": ColourRelease(**release)}
    assert got.environment["DATABASE_HOST"] is pending
    assert got.permissions == [Permission(actions=["sqs:SendMessage"], resources=[pending])]
    assert repr(got.pod) == repr(PodSettings(memory_mib=256))


def test_refuses_what_a_component_refuses_and_names_the_argument(host: Host) -> None:
    with pytest.raises(pulumi.InputPropertyError) as caught:
        arguments(host, "Environment", {"cidr": "10.0.0.0/8", "zones": ["a", "b"]})
    assert caught.value.property_path == "cidr"


def test_plugin_file_and_its_packages_are_those_of_the_project() -> None:
    assert yaml.safe_load((ROOT / "components" / "PulumiPlugin.yaml").read_text()) == {"runtime": "python"}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    listed = (ROOT / "components" / "requirements.txt").read_text().splitlines()
    packages = [line for line in listed if not line.startswith("#")]
    assert packages
    assert set(packages) <= set(wanted)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_components_import_each_other_relatively_and_else_only_pulumi(file: Path) -> None:
    """So that they can be published under another name, and know no stack, no release and no sandbox."""
    allowed = set(sys.stdlib_module_names) | {"pulumi", "pulumi_aws", "pulumi_docker", "pulumi_kubernetes"}
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] in allowed
