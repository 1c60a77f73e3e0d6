"""The components as other languages see them. Not proven: Pulumi's own code generation, which needs its CLI."""

import ast
import contextvars
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
from components.hosting import NAME, OFFERED, VERSION, Host

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "components").glob("*.py"))


class Recorder(pulumi.runtime.Mocks):
    """Takes every registration; ids are names."""

    def __init__(self) -> None:
        self.inputs: dict[tuple[str, str], dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[args.typ, args.name] = args.inputs
        return f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return {}


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


def construct(host: Host, component: str, inputs: dict[str, Any]) -> tuple[set[str], Recorder]:
    """Construct a component as the engine asks for it; the names of its outputs, and what was registered."""
    recorder = Recorder()
    outputs: set[str] = set()

    @pulumi.runtime.test
    def run() -> None:
        outputs.update(host.construct("orders", f"slipway:index:{component}", inputs).state)

    def run_with_mocks() -> None:
        pulumi.runtime.set_mocks(recorder, preview=False)
        run()

    contextvars.copy_context().run(
        run_with_mocks
    )  # the SDK keeps its settings in the context: no other test meets the mocks
    return outputs, recorder


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
    outputs, recorder = construct(
        host,
        "LoadBalancer",
        {
            "vpcId": "vpc-1",
            "subnetIds": ["subnet-1"],
            "weights": {"blue": 90.0, "green": 10.0},
            "testColour": "green",
            "testPort": 9000.0,
        },
    )
    assert {"url", "listenerArn", "targetGroupArns"} <= outputs
    listener = recorder.inputs["aws:lb/listener:Listener", "orders-live"]
    assert [group["weight"] for group in listener["defaultActions"][0]["forward"]["targetGroups"]] == [90, 10]
    assert any(name == "orders-test-9000-10.0.0.0_8" for _, name in recorder.inputs)  # 9000.0 would show here
    _, recorder = construct(
        host, "Environment", {"cidr": "10.0.0.0/16", "zones": ["a", "b"], "natGateways": "per-zone"}
    )
    assert {name for token, name in recorder.inputs if token == "aws:ec2/natGateway:NatGateway"} == {
        "orders-nat-a",
        "orders-nat-b",
    }


def test_nested_arguments_arrive_as_theirs_and_a_colour_may_be_left_out(host: Host) -> None:
    release = {"release": "r-1", "version": "1.0.0", "image": "orders@sha256:" + "0" * 64}
    _, recorder = construct(
        host,
        "BlueGreenService",
        {
            "service": "orders",
            "colours": {"blue": release},
            "targetGroupArns": {"blue": "arn:blue", "green": "arn:green"},
            "environment": {"DATABASE_HOST": "db"},
            "pod": {"memoryMib": 256.0},
        },
    )
    deployments = {name: made for (token, name), made in recorder.inputs.items() if token.endswith(":Deployment")}
    assert list(deployments) == ["orders-blue"]
    container = deployments["orders-blue"]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"memory": "256Mi"}


def test_refuses_what_a_component_refuses_and_names_the_argument(host: Host) -> None:
    with pytest.raises(pulumi.InputPropertyError) as caught:
        host.construct("orders", "slipway:index:Environment", {"cidr": "10.0.0.0/8", "zones": ["a", "b"]})
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
