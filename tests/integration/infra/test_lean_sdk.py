"""What is loaded by need: nothing heavy when the sandbox is asked for, and SDK packages which offer the names and hints of whole ones."""

from __future__ import annotations

import subprocess
import sys

import pytest


def printed_by(code: str, *arguments: str) -> str:
    """What a fresh interpreter prints that runs `code`."""
    argv = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300).stdout


COMPARE = """
import contextlib, importlib, sys
from infra.lean_sdk import lean_sdk_imports
with lean_sdk_imports() if sys.argv[1] == "lean" else contextlib.nullcontext():
    package = importlib.import_module(sys.argv[2])
def kind(value):
    return "module" if isinstance(value, type(sys)) else getattr(value, "__module__", type(value).__name__)
print(*(f"{name}={kind(getattr(package, name))}" for name in dir(package) if not name.startswith("__")))
"""


@pytest.mark.parametrize(
    "package", ["pulumi_aws", "pulumi_aws.sqs", "pulumi_aws.dynamodb", "pulumi_kubernetes.policy.v1", "pulumi_docker"]
)
def test_sdk_package_offers_the_same_names_from_the_same_modules_when_it_is_loaded_by_need(package: str) -> None:
    lean, whole = (set(printed_by(COMPARE, way, package).split()) for way in ("lean", "whole"))
    assert whole <= lean


HINTS = """
import contextlib, importlib, pkgutil, sys, typing
import pulumi
from pulumi import _types
from infra.lean_sdk import lean_sdk_imports

def types_of(value):
    if _types.is_input_type(value): return _types.input_type_types(value)
    if _types.is_output_type(value): return _types.output_type_types(value)
    return _types.resource_types(value) if issubclass(value, pulumi.Resource) else {}

def classes_in(hint):
    yield hint
    for inner in typing.get_args(hint): yield from classes_in(inner)

seen = set()
def say(value):
    if not isinstance(value, type) or typing.get_args(value) or value in seen: return
    seen.add(value)
    hints = sorted(types_of(value).items())
    print(value.__module__, value.__qualname__, hints)
    for _, hint in hints:
        for inner in classes_in(hint): say(inner)

with lean_sdk_imports() if sys.argv[1] == "lean" else contextlib.nullcontext():
    package = importlib.import_module(sys.argv[2])
    for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if info.name.rpartition(".")[2].startswith("_") or info.name.endswith(".outputs"): continue
        module = importlib.import_module(info.name)
        for name in sorted(getattr(module, "__all__", ())): say(getattr(module, name))
"""


@pytest.mark.parametrize(
    "package", ["pulumi_aws.lb", "pulumi_aws.cloudwatch", "pulumi_kubernetes.apps.v1", "pulumi_kubernetes.core.v1"]
)
def test_sdk_types_have_the_same_hints_when_they_are_defined_by_need(package: str) -> None:
    lean, whole = (printed_by(HINTS, way, package) for way in ("lean", "whole"))
    assert len(whole.splitlines()) > 20
    assert lean == whole


def test_asking_whether_the_sandbox_runs_imports_nothing_heavy() -> None:
    # Every command asks; these modules take 0.8 s together.
    loaded = printed_by(
        "import sys, slipway.sandbox.lifecycle, slipway.sandbox.environment; print(*sys.modules)"
    ).split()
    heavy = {"docker", "httpx", "kubernetes", "moto", "boto3", "psycopg", "pydantic", "slipway.sandbox.kubernetes"}
    assert heavy & set(loaded) == set()
