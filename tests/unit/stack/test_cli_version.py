"""Which Pulumi CLI is taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipway.errors import MachineError
from slipway.stack.cli import VERSIONS_FILE, find_cli, misfit


@pytest.mark.parametrize("version", ["3.259.0", "3.274.1", "3.300.0-alpha.1", "v3.274.1"])
def test_fitting_version_is_taken(version: str) -> None:
    assert misfit(version) == ""


@pytest.mark.parametrize(
    ("version", "why"),
    [("3.258.9", "too old"), ("2.25.0", "too old"), ("4.0.0", "too new"), ("dev", "names no version")],
)
def test_refuses_other_versions(version: str, why: str) -> None:
    assert why in misfit(version)


def test_missing_cli_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="not installed") as failure:
        find_cli(path=str(tmp_path))
    assert "--sandbox" in failure.value.remedy


def test_known_version_is_not_asked_for_again(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/false\n")
    program.chmod(0o755)
    status = program.stat()
    key = f"{program.resolve()}:{status.st_size}:{status.st_mtime_ns}"
    (tmp_path / VERSIONS_FILE).write_text(json.dumps({key: "3.274.1"}))
    assert find_cli(path=str(tmp_path), cache=tmp_path).version == "3.274.1"
