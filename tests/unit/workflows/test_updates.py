"""New versions of what is pinned are proposed, and known faults of it are looked for, every week."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
RENOVATE: dict[str, Any] = json.loads((ROOT / ".github/renovate.json").read_text())
HASHED = re.compile(r"^\s+--hash=sha256:", re.MULTILINE)
DIGEST = "python:3.11-slim-bookworm@sha256:" + "ab" * 32


def pinned() -> list[str]:
    """The files of the project that pin packages by hash,"""
    files = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    texts = [each for each in files if each.endswith((".txt", ".lock"))]
    return [each for each in texts if HASHED.search((ROOT / each).read_text())]


def test_every_file_that_pins_something_gets_updates() -> None:
    patterns = [
        re.compile(pattern.strip("/"))
        for manager in ("pip-compile", "pip_requirements")
        for pattern in RENOVATE[manager]["managerFilePatterns"]
    ]
    files = pinned()
    assert "requirements.lock" in files
    assert [each for each in files if not any(pattern.search(each) for pattern in patterns)] == []
    assert {"github-actions", "gomod", "custom.regex"} <= {*RENOVATE["enabledManagers"]}


@pytest.mark.parametrize(("line", "found"), [(f"    baseImage: {DIGEST}", True), ("    baseImage: python:3.11", False)])
def test_base_image_of_a_stack_gets_updates(line: str, found: bool) -> None:
    (manager,) = RENOVATE["customManagers"]
    (text,) = (pattern.replace("(?<", "(?P<") for pattern in manager["matchStrings"])
    match = re.search(text, line)
    assert bool(match) is found
    assert not match or match["depName"] == "python"
    assert re.search(manager["managerFilePatterns"][0].strip("/"), "Pulumi.prod.yaml")


def test_packages_are_audited_every_week() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/supply-chain.yml").read_text())
    runs = {step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step}
    assert workflow[True]["schedule"]
    assert {"make audit", "make sbom", "make checkov"} <= runs
