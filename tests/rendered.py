"""Write what prod is made of in forms that scanners read: `python -m tests.rendered <folder>`, with fake providers.

Kubernetes objects become manifests. AWS resources become a Terraform plan: Pulumi's AWS provider is Terraform's, and its names can be
turned back. Of references between resources it has none. Dev and staging differ from prod in their settings only.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.program import deploy as program
from slipway.providers.values import UNKNOWN, Secret
from slipway.testing.cli import find_cli
from slipway.testing.result import Resource
from slipway.testing.session import Options, Session
from tests.integration.conftest import options_of_stacks

STACK = "prod"
PREFIXES = {"ec2": "", "rds": "db_"}
"""By module, where Terraform's names of types have another than the module's own name."""
TYPES = {"aws_lb_load_balancer": "aws_lb"}
BLOCKS = {"encryptionConfigurations": "encryption_configuration"}
"""Lists that Pulumi names in the plural."""
MAPS = frozenset({"tags", "labels", "dimensions"})
"""Objects that are no blocks: the keys are the user's."""


def manifests(resources: Iterable[Resource]) -> str:
    """All Kubernetes objects, as a file for kubectl."""
    objects = [plain(each.inputs) for each in resources if each.type.startswith("kubernetes:")]
    return yaml.safe_dump_all(objects)


def plan(resources: Iterable[Resource]) -> dict[str, Any]:
    """All AWS resources, as `terraform show -json` writes a plan."""
    found = [each for each in resources if each.type.startswith("aws:")]
    planned = [
        {
            "address": f"{terraform_type(each.type)}.{each.name}",
            "mode": "managed",
            "type": terraform_type(each.type),
            "name": each.name,
            "values": attributes(each.inputs),
        }
        for each in found
    ]
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {"root_module": {"resources": planned}},
        "resource_changes": [
            {**each, "change": {"actions": ["create"], "before": None, "after": each["values"]}} for each in planned
        ],
        "configuration": {"root_module": {"resources": []}},
    }


def terraform_type(token: str) -> str:
    """`aws:rds/instance:Instance` is `aws_db_instance`."""
    module, _, kind = token.removeprefix("aws:").partition("/")
    name = f"aws_{PREFIXES.get(module, f'{module}_')}{snake(kind.partition(':')[2])}"
    return TYPES.get(name, name)


def attributes(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Properties by Terraform's names; an object is a block, of which Terraform has a list."""
    return {BLOCKS.get(key, snake(key)): block(key, plain(value)) for key, value in inputs.items()}


def block(key: str, value: Any) -> Any:
    if isinstance(value, dict) and key not in MAPS:
        return [attributes(value)]
    if isinstance(value, list):
        return [attributes(item) if isinstance(item, dict) else item for item in value]
    return value


def plain(value: Any) -> Any:
    """Without secrets and without what only an apply would tell."""
    if isinstance(value, Secret):
        return plain(value.value)
    if value is UNKNOWN:
        return None
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def main(folder: Path) -> None:
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, pytest.MonkeyPatch.context() as environment:
        options = options_of_stacks(environment)
        deployed = Session(Path(scratch), find_cli, {}).run("up", program, Options(stack=STACK, **options))
    (folder / f"{STACK}.yaml").write_text(manifests(deployed.resources))
    (folder / f"{STACK}.tfplan.json").write_text(json.dumps(plan(deployed.resources), indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
